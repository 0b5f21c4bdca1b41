"""A real HTTP server that keeps data set repositories, as far as huggingface_hub asks a Hub."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


@dataclass
class Repo:
    """One repository: commits by hash, branches by name."""

    private: bool
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[tuple[str, str]] = field(default_factory=list)

    def commit(self, branch: str, files: Files) -> str:
        """Make `files` all that is on a branch."""
        told = json.dumps([len(self.commits), branch, sorted(files)])
        self.branches[branch] = hashlib.sha1(told.encode()).hexdigest()  # noqa: S324 - as git does
        self.commits[self.branches[branch]] = files
        return self.branches[branch]

    def at(self, revision: str) -> tuple[str, Files] | None:
        """Find what a branch or commit holds."""
        commit = self.branches.get(revision, revision)
        return (commit, self.commits[commit]) if commit in self.commits else None


class Hub:
    """All repositories, who may write where, and what to do wrong on purpose.

    `writes` gives the owner of each token. `spoilt` files lose a byte on their way, `ignored` ones
    are passed over.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.writes: dict[str, str] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, bytes]] = []
        self.spoilt: set[str] = set()
        self.ignored: set[str] = set()
        self.bad_header = False
        self.url = ""

    def make(self, name: str, *, private: bool = False) -> Repo:
        """Make a repository with the one file that every new one has."""
        repo = self.repos[name] = Repo(private)
        repo.commit("main", {".gitattributes": b"*.parquet filter=lfs\n"})
        return repo


Answer = tuple[int, dict[str, str], bytes]


def told(value: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON; header names are written with underscores."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps(value).encode()


def git_hash(data: bytes) -> str:
    """Name a file as git does."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324


def is_large(path: str) -> bool:
    """Say which files are sent to the large file storage."""
    return path.endswith(".parquet")


class Handler(BaseHTTPRequestHandler):
    """One request, looked up in ROUTES."""

    hub: Hub
    body: bytes

    def handle_one(self) -> None:
        """Answer any method."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append((self.command, self.path, self.body))
        path = urlsplit(self.path).path
        for method, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method in self.command.replace("HEAD", "GET"):
                status, headers, content = answer(self, *map(unquote, match.groups()))
                break
        else:
            status, headers, content = told({"error": f"no {path} here"}, 404)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = handle_one  # noqa: N815 - names of http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the output of tests clean."""

    @property
    def owner(self) -> str | None:
        """Name whose token was sent."""
        return self.hub.writes.get(
            (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        )

    def repo(self, name: str, *, write: bool = False) -> Repo | Answer:
        """Find a repository, or say why not in the Hub's words."""
        if self.headers.get("Authorization") and self.owner is None:
            why = "Invalid credentials in Authorization header"
            return told({"error": why}, 401, X_Error_Message=why)
        repo = self.hub.repos.get(name)
        mine = self.owner == name.split("/")[0]
        if repo is None or (repo.private and not mine):
            return told({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        if write and not mine:
            return told({"error": "You don't have the rights to write here"}, 403)
        return repo

    def create(self) -> Answer:
        """Make a repository of one's own."""
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        assert asked["type"] == "dataset"
        if self.owner is None:
            return told({"error": "Invalid token"}, 401)
        if self.owner != asked["organization"]:
            return told({"error": "You don't have the rights to create here"}, 403)
        if name in self.hub.repos:
            return told({"error": "You already created this repo"}, 409)
        self.hub.make(name, private=asked["visibility"] == "private")
        return told({"url": f"{self.hub.url}/datasets/{name}"})

    def info(self, name: str, revision: str = "main") -> Answer:
        """Tell the newest commit of a revision."""
        repo = self.repo(name)
        if not isinstance(repo, Repo):
            return repo
        found = repo.at(revision)
        if found is None:
            return told({"error": "Invalid rev"}, 404, X_Error_Code="RevisionNotFound")
        return told({"id": name, "sha": found[0], "private": repo.private, "siblings": []})

    def tree(self, name: str, revision: str) -> Answer:
        """List the files of a revision."""
        repo = self.repo(name)
        if not isinstance(repo, Repo):
            return repo
        found = repo.at(revision)
        assert found is not None
        return told([self.entry(path, data) for path, data in sorted(found[1].items())])

    @staticmethod
    def entry(path: str, data: bytes) -> dict[str, Any]:
        """Describe one file."""
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data)}
        entry["oid"] = git_hash(data)
        if is_large(path):
            oid = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 134}
        return entry

    def branch(self, name: str, branch: str) -> Answer:
        """Make a branch from main."""
        repo = self.repo(name, write=True)
        if not isinstance(repo, Repo):
            return repo
        repo.branches[branch] = repo.branches["main"]
        return told({})

    def header(self) -> Answer:
        """Look at a card's header."""
        text = json.loads(self.body)["content"]
        wrong = [{"message": '"license" must be one of the list'}] if self.hub.bad_header else []
        assert text.startswith("---\n")
        return told({"errors": wrong, "warnings": []}, 400 if wrong else 200)

    def modes(self, name: str, revision: str) -> Answer:
        """Say of each file how it is to be sent."""
        repo = self.repo(name, write=True)
        if not isinstance(repo, Repo):
            return repo
        found = repo.at(revision)
        assert found is not None
        return told(
            {
                "files": [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if is_large(file["path"]) else "regular",
                        "shouldIgnore": file["path"] in self.hub.ignored,
                        "oid": self.known(found[1].get(file["path"]), file["path"]),
                    }
                    for file in json.loads(self.body)["files"]
                ]
            }
        )

    @staticmethod
    def known(data: bytes | None, path: str) -> str | None:
        """Give the hash by which the client knows that a file is there already."""
        if data is None:
            return None
        return hashlib.sha256(data).hexdigest() if is_large(path) else git_hash(data)

    def batch(self, name: str) -> Answer:
        """Say where large files go; what is there already goes nowhere."""
        repo = self.repo(name, write=True)
        if not isinstance(repo, Repo):
            return repo
        asked = json.loads(self.body)["objects"]
        return told(
            {
                "objects": [
                    each
                    if each["oid"] in self.hub.large
                    else {
                        **each,
                        "actions": {"upload": {"href": f"{self.hub.url}/x/{each['oid']}"}},
                    }
                    for each in asked
                ]
            }
        )

    def upload(self, oid: str) -> Answer:
        """Take a large file, with no other right than its address."""
        assert "Authorization" not in self.headers
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.hub.large[oid] = self.body
        return told({})

    def commit(self, name: str, branch: str) -> Answer:
        """Make a commit of all that the lines of the body say."""
        repo = self.repo(name, write=True)
        if not isinstance(repo, Repo):
            return repo
        lines = [json.loads(line) for line in self.body.splitlines()]
        head = lines[0]["value"]
        if head.get("parentCommit") not in (None, repo.branches[branch]):
            return told({"error": "A commit has happened since"}, 412)
        files = dict(repo.commits[repo.branches[branch]])
        for line in lines[1:]:
            value = line["value"]
            path = value["path"]
            if line["key"] == "deletedFile":
                del files[path]
            elif line["key"] == "file":
                files[path] = base64.b64decode(value["content"])
            else:
                files[path] = self.hub.large[value["oid"]]
            if path in self.hub.spoilt:
                files[path] = files[path][:-1]
        repo.messages.append((head["summary"], head["description"]))
        commit = repo.commit(branch, files)
        url = f"{self.hub.url}/datasets/{name}/commit/{commit}"
        return told({"commitUrl": url, "commitOid": commit})

    def file(self, name: str, revision: str, path: str) -> Answer:
        """Hand a file out."""
        repo = self.repo(name)
        if not isinstance(repo, Repo):
            return repo
        found = repo.at(revision)
        if found is None or path not in found[1]:
            return told({}, 404, X_Error_Code="EntryNotFound")
        data = found[1][path]
        return 200, {"X-Repo-Commit": found[0], "ETag": f'"{self.known(data, path)}"'}, data


_REPO = r"([^/]+/[^/]+)"
ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.header),
    ("GET", f"/api/datasets/{_REPO}", Handler.info),
    ("GET", f"/api/datasets/{_REPO}/revision/([^/]+)", Handler.info),
    ("GET", f"/api/datasets/{_REPO}/tree/([^/]+)", Handler.tree),
    ("POST", f"/api/datasets/{_REPO}/branch/([^/]+)", Handler.branch),
    ("POST", f"/api/datasets/{_REPO}/preupload/([^/]+)", Handler.modes),
    ("POST", f"/api/datasets/{_REPO}/commit/([^/]+)", Handler.commit),
    ("POST", rf"/datasets/{_REPO}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", "/x/([0-9a-f]+)", Handler.upload),
    ("GET", f"/datasets/{_REPO}/resolve/([^/]+)/(.+)", Handler.file),
]


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve an empty Hub on a free port."""
    hub = Hub()
    handler = type("Bound", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
