"""`llm2llm push`: a real client sends a bundle to a real server, which keeps what came."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from finished_run import Made, make_run
from hub_server import Hub, serving
from reviewing_run import make_reviewed_run, write
from typer.testing import CliRunner, Result

from llm2llm.bundle.verifying import verify
from llm2llm.cli.main import app
from llm2llm.exceptions import DataError, Llm2llmError, MachineError, ParamsError
from llm2llm.files import read_json
from llm2llm.ids import sha256_file
from llm2llm.records.decisions import DECISIONS, Decision
from llm2llm.reviewing.decisions import decisions_text

STAGE = Path(__file__).resolve().parent.parent / "stages" / "export.py"
TOKEN = "hf_of_the_tests"
REPO = "me/my-set"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make and export one run, all of it declared."""
    made = make_run(tmp_path_factory.mktemp("run"))
    params = made.root / "params.yaml"
    params.write_text(params.read_text().replace("teacher-1: none", "'teacher-1 ': none"))
    subprocess.run([sys.executable, str(STAGE), "2"], cwd=made.root, check=True)
    return made


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Path:
    """Give a copy of the bundle, to be changed."""
    return Path(shutil.copytree(made.root / "data/export", tmp_path / "bundle"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Serve an empty Hub, and let the environment name it and a token of `me`."""
    # The server takes large files by git's protocol alone; hf_xet needs a service of its own.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with serving() as hub:
        hub.writes[TOKEN] = "me"
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub


def run(*arguments: str, answer: str | None = None) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["push", *arguments], input=answer)


def failure(*arguments: str, answer: str | None = None) -> Llm2llmError:
    """Run the command and give what stopped it."""
    found = run(*arguments, answer=answer).exception
    assert isinstance(found, Llm2llmError), found
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a bundle."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def there(hub: Hub, branch: str = "main") -> dict[str, bytes]:
    """Give what a branch holds, but for the file that every repository has."""
    repo = hub.repos[REPO]
    files = repo.commits[repo.branches[branch]]
    return {name: data for name, data in files.items() if name != ".gitattributes"}


def test_the_files_arrive_byte_by_byte_in_one_commit(hub: Hub, bundle: Path) -> None:
    """A new repository holds the bundle after one commit, which names its manifest's hash."""
    done = run(str(bundle), "--repo", REPO, "--yes")
    assert done.exit_code == 0, done.output
    assert there(hub) == contents(bundle)
    assert len(there(hub)) == 19
    repo = hub.repos[REPO]
    assert not repo.private
    sha256 = sha256_file(bundle / "manifest.json")
    assert repo.messages == [
        ("made-up 1.2.3: 8 examples", f"SHA-256 of manifest.json: {sha256}"),
    ]
    assert f"files are there as they were sent: {hub.url}/datasets/{REPO}/commit/" in done.output


def test_the_archive_is_pushed_as_its_folder(hub: Hub, made: Made) -> None:
    """`data/export.tar.gz` will do."""
    assert run(str(made.root / "data/export.tar.gz"), "--repo", REPO, "--yes").exit_code == 0
    assert there(hub) == contents(made.root / "data/export")


def test_what_a_receiver_downloads_verifies(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    """Hub and client lay files of their own beside the bundle, and `verify` passes over them."""
    from huggingface_hub import snapshot_download

    assert run(str(bundle), "--repo", REPO, "--yes").exit_code == 0
    brought = snapshot_download(
        REPO, repo_type="dataset", local_dir=tmp_path / "brought", endpoint=hub.url, token=False
    )
    assert {".gitattributes", ".cache"} < {path.name for path in Path(brought).iterdir()}
    assert verify(Path(brought)).passed
    (Path(brought) / ".cache/other").write_text("x")
    assert not verify(Path(brought)).passed


def test_what_will_be_seen_is_said_before_it_is_asked_for(hub: Hub, bundle: Path) -> None:
    """Texts by kind, licenses and terms stand above the question; no is no."""
    for answer in ("n\n", ""):
        done = run(str(bundle), "--repo", REPO, answer=answer)
        assert isinstance(done.exception, ParamsError)
        assert "nothing was pushed" in str(done.exception)
        assert hub.repos == {}
    for said in (
        "What everybody will see",
        "5      seeds, with input and target",
        "4      raw answers of the teacher",
        "license of the bundle: mit",
        "terms of the outputs of teacher-1 : none",
        "makes: this repository",
    ):
        assert said in done.output
    assert run(str(bundle), "--repo", REPO, answer="y\n").exit_code == 0
    assert there(hub) == contents(bundle)


def test_what_nobody_declared_is_said(tmp_path: Path) -> None:
    """Declarations for other seeds are none, and private seeds are not among the texts."""
    make_run(tmp_path)
    params = (tmp_path / "params.yaml").read_text()
    params = params.replace("seeds_file: train", "seeds_file: other")
    (tmp_path / "params.yaml").write_text(params.replace("only: false", "only: true"))
    subprocess.run([sys.executable, str(STAGE), "2"], cwd=tmp_path, check=True)
    done = run(str(tmp_path / "data/export"), "--repo", REPO, "--dry-run")
    assert done.exit_code == 0, done.output
    for said in (
        "0      seeds, with input and target",
        "0      raw answers of the teacher",
        "license of the bundle: not declared",
        "terms of the outputs of teacher-1 : not declared",
        "4 not declared",
    ):
        assert said in done.output


def test_what_people_wrote_is_disclosed(tmp_path: Path) -> None:
    """Edited texts and those of before, names and notes of reviewers, reasons of withdrawals."""
    made = make_reviewed_run(tmp_path)
    kept = made.kept
    decisions = [
        Decision(kept["first"], "edit", "Two dozen quinces on a table", "#### 3", "Ada", "clearer"),
        Decision(kept["second"], "reject", None, None, "Bo", "wrong sum"),
    ]
    path = tmp_path / DECISIONS
    path.parent.mkdir()
    path.write_text(decisions_text(decisions))
    params = (tmp_path / "params.yaml").read_text()
    entry = f"  exclude: [{{example: {kept['third']}, reason: a person asked}}]\n  card:"
    (tmp_path / "params.yaml").write_text(params.replace("  exclude: []\n  card:", entry))
    bundle = write(tmp_path)
    text = run(str(bundle), "--repo", REPO, "--dry-run").output
    for said in (
        "1      examples that people edited",
        "2      examples as they were before people edited or rejected them",
        "2      notes of reviewers",
        "names of reviewers: Ada, Bo",
        "reason of a withdrawal: a person asked",
    ):
        assert said in text
    found = run(str(bundle), "--repo", REPO, "--dry-run", "--json").stdout
    assert json.loads(found)["disclosure"]["reviewers"] == ["Ada", "Bo"]
    told = json.loads(found)["disclosure"]
    assert (
        told["seeds"] + told["augmented"] + told["edited"]
        == read_json(bundle / "manifest.json")["counts"]["examples"]
    )


@pytest.mark.parametrize("value", [None, ""])
def test_without_another_hub_it_is_the_usual_one(
    made: Made, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """An empty HF_ENDPOINT names no Hub, as for the Hub's own client."""
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    if value is not None:
        monkeypatch.setenv("HF_ENDPOINT", value)
    done = run(str(made.root / "data/export"), "--repo", REPO, "--dry-run", "--json")
    assert json.loads(done.stdout)["url"] == f"https://huggingface.co/datasets/{REPO}"


def test_a_dry_run_asks_no_hub(made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It needs neither token nor client, and tells the same as JSON."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    done = run(str(made.root / "data/export"), "--repo", REPO, "--dry-run", "--json")
    found = json.loads(done.stdout)
    assert (found["disclosure"]["seeds"], found["found"], found["pushed"]) == (5, None, None)
    assert found["undeclared"] == []


def test_a_tampered_bundle_is_not_pushed(hub: Hub, bundle: Path) -> None:
    """What `verify` finds is said, and no request is sent."""
    with (bundle / "chat.jsonl").open("a") as stream:
        stream.write("{}\n")
    found = failure(str(bundle), "--repo", REPO, "--yes")
    assert isinstance(found, DataError)
    assert "chat.jsonl: SHA-256 is" in str(found)
    assert hub.requests == []


def test_a_second_push_replaces_the_first_and_leaves_nothing_of_it(
    hub: Hub, made: Made, bundle: Path, tmp_path: Path
) -> None:
    """Files that the new bundle lacks go in the same commit; the same bundle makes no new one."""
    assert run(str(bundle), "--repo", REPO, "--yes").exit_code == 0
    run(str(bundle), "--repo", REPO, "--yes")
    assert len(hub.repos[REPO].messages) == 1
    make_run(tmp_path / "other", n_iterations=1)
    subprocess.run([sys.executable, str(STAGE), "1"], cwd=tmp_path / "other", check=True)
    done = run(str(tmp_path / "other/data/export"), "--repo", REPO, "--yes")
    assert "removes: certificates/1.json" in done.output
    assert there(hub) == contents(tmp_path / "other/data/export")
    assert len(hub.repos[REPO].messages) == 2


def test_a_branch_is_made_where_it_is_missing(hub: Hub, bundle: Path) -> None:
    """Main stays as it is."""
    assert run(str(bundle), "--repo", REPO, "--branch", "v2", "--yes").exit_code == 0
    assert there(hub) == {}
    assert there(hub, "v2") == contents(bundle)


def test_private_is_private(hub: Hub, bundle: Path) -> None:
    """A new repository is made so; one that is public already is refused, not filled."""
    done = run(str(bundle), "--repo", REPO, "--private", "--yes")
    assert done.exit_code == 0
    assert hub.repos[REPO].private
    assert "What those you let in will see" in done.output
    hub.make("me/open")
    found = failure(str(bundle), "--repo", "me/open", "--private", "--yes")
    assert "exists already and is public" in str(found)
    assert list(hub.repos["me/open"].commits.values()) == [
        {".gitattributes": b"*.parquet filter=lfs\n"}
    ]


@pytest.mark.parametrize(
    "files", [{"README.md": b"#", "train.csv": b"a"}, {"manifest.json": b"{}", "x.bin": b"a"}]
)
def test_a_repository_of_something_else_is_left_alone(
    hub: Hub, bundle: Path, files: dict[str, bytes]
) -> None:
    """What no bundle holds is named; nothing is deleted or mixed."""
    commit = hub.make(REPO).commit("main", files)
    found = failure(str(bundle), "--repo", REPO, "--yes")
    assert "which are of no bundle" in str(found)
    assert hub.repos[REPO].branches == {"main": commit}


def test_the_token_is_sent_in_a_header_alone(hub: Hub, bundle: Path) -> None:
    """No address and no body holds it, nor what is printed."""
    done = run(str(bundle), "--repo", REPO, "--yes")
    assert len(hub.requests) > 8
    assert TOKEN not in done.output
    assert not [path for _, path, body in hub.requests if TOKEN in path or TOKEN.encode() in body]


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_a_token_nothing_is_done(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """A token that lies in a file of the home folder is not looked for."""
    monkeypatch.delenv("HF_TOKEN") if value is None else monkeypatch.setenv("HF_TOKEN", value)
    assert "HF_TOKEN is not set" in str(failure(str(bundle), "--repo", REPO, "--yes"))
    assert hub.requests == []


def test_another_token_is_refused(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """401 says which variable to look at, without quoting it."""
    monkeypatch.setenv("HF_TOKEN", "hf_forgotten")
    hub.make(REPO)
    found = failure(str(bundle), "--repo", REPO, "--yes")
    assert isinstance(found, MachineError)
    assert "HTTP 401" in str(found)
    assert "does not know HF_TOKEN" in str(found)
    assert "hf_forgotten" not in str(found)


@pytest.mark.parametrize("exists", [True, False])
def test_anothers_repository_is_refused(hub: Hub, bundle: Path, exists: bool) -> None:
    """403 says whose it is not, whether it has to be made or is there."""
    if exists:
        hub.make("you/theirs")
    found = failure(str(bundle), "--repo", "you/theirs", "--yes")
    assert "you/theirs: HTTP 403" in str(found)
    assert "the repository is another's" in str(found)


def test_an_unreachable_hub_is_told(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub
) -> None:
    """No server, or offline on purpose: one message that names the address."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert "http://127.0.0.1:1: cannot be reached" in str(
        failure(str(bundle), "--repo", REPO, "--yes")
    )
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = failure(str(bundle), "--repo", REPO, "--yes")
    assert re.search("cannot be reached .*HF_HUB_OFFLINE", str(found))
    assert hub.requests == []


def test_a_card_that_the_hub_refuses_is_told(hub: Hub, bundle: Path) -> None:
    """Its words are passed on, with the place to mend it."""
    hub.bad_header = True
    found = failure(str(bundle), "--repo", REPO, "--yes")
    assert '"license" must be one of the list' in str(found)
    assert "`export.card`" in str(found)
    assert there(hub) == {}


@pytest.mark.parametrize("name", ["dataset.parquet", "manifest.json"])
@pytest.mark.parametrize("how", ["spoilt", "ignored"])
def test_a_file_that_arrived_otherwise_is_named(
    hub: Hub, bundle: Path, name: str, how: str
) -> None:
    """What lies there is compared with what was sent, large files and small ones."""
    getattr(hub, how).add(name)
    found = failure(str(bundle), "--repo", REPO, "--yes")
    assert f"{name} is not there as it was sent" in str(found)


def test_a_commit_of_somebody_else_in_between_is_not_overwritten(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is made on what was looked at and agreed to, or not at all."""
    repo = hub.make(REPO)

    def theirs(*_: object, **__: object) -> bool:
        repo.commit("main", {"README.md": b"theirs"})
        return True

    monkeypatch.setattr("typer.confirm", theirs)
    found = failure(str(bundle), "--repo", REPO)
    assert "HTTP 412" in str(found)
    assert there(hub) == {"README.md": b"theirs"}


def test_without_the_client_the_install_line_is_named(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`huggingface_hub` comes with an extra; the message is the line to type."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    found = failure(str(bundle), "--repo", REPO, "--yes")
    assert "pip install 'llm2llm[hub]'" in str(found)


@pytest.mark.parametrize("repo", ["my-set", "a/b/c", "https://huggingface.co/a/b", "a/", ".a/b"])
def test_a_repository_without_owner_and_name_is_refused(bundle: Path, repo: str) -> None:
    """The form is named before anything is read."""
    assert "expected OWNER/NAME" in str(failure(str(bundle), "--repo", repo, "--dry-run"))
