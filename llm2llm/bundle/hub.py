"""Send a bundle to a data set repository of a Hub as one commit, and see that it arrived whole.

Endpoints and errors: huggingface_hub 2.4, `HfApi.create_repo` and `HfApi.create_commit`. Not its
`upload_folder`: that one may part a folder into several commits, and the manifest is to come with
the files that it lists.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm2llm.bundle import layout
from llm2llm.bundle.manifest import Manifest
from llm2llm.exceptions import DataError, MachineError
from llm2llm.ids import sha256_file

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

MAIN = "main"
_TYPE = "dataset"
_N_NAMED = 5
_HIDDEN = "[the token]"
_UNKNOWN_TOKEN = 401
_ADVICE = {
    _UNKNOWN_TOKEN: "the Hub does not know HF_TOKEN: make a new one in your settings there",
    403: "HF_TOKEN may not write there: the repository is another's, or the token can only read",
    404: "check --repo, and that HF_TOKEN may see it",
    409: "somebody changed it at the same time: push again",
    412: "somebody changed it at the same time: push again",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where to: `repo` is OWNER/NAME."""

    endpoint: str
    repo: str
    branch: str

    @property
    def url(self) -> str:
        """Give the page of the repository."""
        return f"{self.endpoint}/datasets/{self.repo}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is at the target: `private` is null without a repository, `commit` without the branch.

    `replaced` and `removed` are files of an earlier bundle.
    """

    private: bool | None
    commit: str | None
    replaced: list[str]
    removed: list[str]


@dataclass(frozen=True, slots=True)
class Pushed:
    """The commit that holds the bundle."""

    url: str
    commit: str
    n_files: int


class Hub:
    """A Hub, asked with a token that is sent to it and written nowhere."""

    def __init__(self, target: Target, token: str) -> None:
        """Open no connection yet; raises MachineError where the client is not installed."""
        try:
            from huggingface_hub import HfApi
        except ImportError:
            raise MachineError(
                "huggingface_hub is not installed, which only `llm2llm push` needs;"
                " pip install 'llm2llm[hub]'"
            ) from None
        self._target = target
        self._token = token
        self._api = HfApi(endpoint=target.endpoint, token=token, library_name="llm2llm")

    def look(self, manifest: Manifest, *, private: bool) -> Found:
        """See what is there; raises DataError where pushing would spoil it or show too much."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        target = self._target
        with self._failures():
            try:
                there = self._api.dataset_info(target.repo)
            except RepositoryNotFoundError as failure:
                if failure.response.status_code == _UNKNOWN_TOKEN:
                    raise
                return Found(None, None, [], [])
            try:
                commit = self._api.dataset_info(target.repo, revision=target.branch).sha
            except RevisionNotFoundError:
                commit = None
            names = set(self._files(commit or there.sha or MAIN))
        if private and not there.private:
            raise DataError(
                f"{target.url}: exists already and is public, found --private; make it private in"
                " its settings first, or name another repository"
            )
        _refuse_strangers(target, names)
        sent = {*manifest.files, layout.MANIFEST}
        known = {name for name in names if layout.belongs(name)}
        return Found(bool(there.private), commit, sorted(known & sent), sorted(known - sent))

    def push(self, folder: Path, manifest: Manifest, found: Found, *, private: bool) -> Pushed:
        """Make what is missing, commit all files at once and compare what is there then."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        target = self._target
        names = [*sorted(manifest.files), layout.MANIFEST]
        with self._failures():
            if found.private is None:
                self._api.create_repo(target.repo, repo_type=_TYPE, private=private)
            if found.commit is None and target.branch != MAIN:
                self._api.create_branch(target.repo, repo_type=_TYPE, branch=target.branch)
            commit = self._api.create_commit(
                target.repo,
                [
                    *(CommitOperationDelete(name) for name in found.removed),
                    *(CommitOperationAdd(name, str(folder / name)) for name in names),
                ],
                repo_type=_TYPE,
                revision=target.branch,
                parent_commit=found.commit,
                commit_message=(
                    f"{manifest.name} {manifest.version}: {manifest.counts.examples} examples"
                ),
                commit_description=(
                    f"SHA-256 of {layout.MANIFEST}: {sha256_file(folder / layout.MANIFEST)}"
                ),
            )
            arrived = self._files(commit.oid)
        from huggingface_hub.utils.sha import git_hash

        for name in names:
            path = folder / name
            blob, sha256 = arrived.get(name, ("", None))
            same = sha256_file(path) == sha256 if sha256 else git_hash(path.read_bytes()) == blob
            if not same:
                raise MachineError(
                    f"{target.url}, commit {commit.oid}: {name} is not there as it was sent; do"
                    " not hand this commit on, look at the repository and push again"
                )
        return Pushed(str(commit.commit_url), commit.oid, len(names))

    def _files(self, revision: str) -> dict[str, tuple[str, str | None]]:
        """List files with their git hash and, of large ones, their SHA-256."""
        from huggingface_hub.hf_api import RepoFile

        tree = self._api.list_repo_tree(
            self._target.repo, repo_type=_TYPE, revision=revision, recursive=True
        )
        return {
            each.path: (each.blob_id, each.lfs.sha256 if each.lfs else None)
            for each in tree
            if isinstance(each, RepoFile)
        }

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Tell a failure of Hub or network in one message, without the token."""
        from httpx2 import HTTPError
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            yield
        except HfHubHTTPError as failure:
            raise MachineError(self._told(failure)) from None
        except (HTTPError, OfflineModeIsEnabled) as failure:
            raise MachineError(self._unreachable(failure)) from None
        except RuntimeError as failure:
            # So huggingface_hub wraps what went wrong with one large file.
            cause = failure.__cause__
            if isinstance(cause, HfHubHTTPError):
                raise MachineError(self._told(cause)) from None
            raise MachineError(self._unreachable(cause or failure)) from None
        except ValueError as failure:
            raise DataError(
                f"{self._target.url}: refused: {self._hidden(str(failure))}; mend it in"
                " `export.card` of params.yaml, `dvc repro` and push again"
            ) from None

    def _told(self, failure: "HfHubHTTPError") -> str:
        status = failure.response.status_code
        said = failure.server_message or str(failure).splitlines()[0]
        advice = _ADVICE.get(status, "look at the repository's page, and push again")
        return f"{self._target.url}: HTTP {status} ({self._hidden(said)}); {advice}"

    def _unreachable(self, failure: BaseException) -> str:
        return (
            f"{self._target.endpoint}: cannot be reached ({self._hidden(str(failure))}); check"
            " network, proxy, HF_ENDPOINT and HF_HUB_OFFLINE, and push again"
        )

    def _hidden(self, text: str) -> str:
        return " ".join(text.split()).replace(self._token, _HIDDEN)


def _refuse_strangers(target: Target, names: set[str]) -> None:
    """Raise DataError where a repository holds what no bundle holds, or is no bundle's."""
    of_bundle = {name for name in names if layout.belongs(name) or layout.beside(name)}
    if layout.MANIFEST not in names:
        of_bundle &= {layout.CARD, *(name for name in names if layout.beside(name))}
    strange = sorted(names - of_bundle)
    if strange:
        more = f" and {len(strange) - _N_NAMED} more" if len(strange) > _N_NAMED else ""
        raise DataError(
            f"{target.url}, branch {target.branch}: holds {', '.join(strange[:_N_NAMED])}{more},"
            " which are of no bundle; remove them there first, or name another repository or"
            " branch"
        )
