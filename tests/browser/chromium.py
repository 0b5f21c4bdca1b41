"""Drive Chromium, and hear what a page says and asks for."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_READY = """
const done = arguments[0];
(function wait() {
  performance.getEntriesByName("table").length ? done() : setTimeout(wait, 10);
})();
"""


@dataclass
class Heard:
    """What happened while a page was open; its policy refused the requests that are `stopped`."""

    requests: list[str]
    stopped: list[str]
    messages: list[str]


@dataclass
class Browser:
    """One window; sizes are in CSS pixels."""

    driver: Chrome

    def open(self, page: Path, *, width: int = 1280, scheme: str = "light") -> None:
        """Open a page and wait until its table stands."""
        self.show(width, scheme)
        self.hear()
        self.driver.get(page.as_uri())
        self.driver.execute_async_script(_READY)

    def show(self, width: int, scheme: str) -> None:
        """Set the width of the window and the color scheme that the reader prefers."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def hear(self) -> Heard:
        """Tell what happened since the last time."""
        sent = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        urls = {
            message["params"]["requestId"]: message["params"]["request"]["url"]
            for message in sent
            if message["method"] == "Network.requestWillBeSent"
        }
        stopped = {
            message["params"]["requestId"]
            for message in sent
            if message["method"] == "Network.loadingFailed"
            and message["params"].get("blockedReason") == "csp"
        }
        return Heard(
            requests=[url for name, url in urls.items() if name not in stopped],
            stopped=[url for name, url in urls.items() if name in stopped],
            messages=[entry["message"] for entry in self._log("browser")],
        )

    def run(self, script: str, *given: object) -> Any:
        """Run a script in the page and give what it returns."""
        return self.driver.execute_script(script, *given)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self) -> str:
        """Name the element that has the focus: its id, or its class."""
        return str(self.run("const a = document.activeElement; return a.id || a.className"))

    def search(self, words: str) -> None:
        """Type into the search field, and wait until the table has followed."""
        before = self.run("return document.getElementById('found').textContent")
        field = self.driver.find_element("id", "query")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(words or Keys.DELETE)
        self.driver.execute_async_script(
            """
            const [before, done] = arguments, until = performance.now() + 5000;
            const told = document.getElementById("found");
            (function wait() {
              if (told.textContent !== before || performance.now() > until) done();
              else setTimeout(wait, 10);
            })();
            """,
            before,
        )

    def _log(self, name: str) -> list[dict[str, Any]]:
        return list(self.driver.get_log(name))


def start(program: str, driver: str, profile: Path) -> Browser:
    """Start Chromium without a window and with a profile of its own."""
    options = ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")
    started = Chrome(options=options, service=Service(driver))
    started.set_script_timeout(120)
    started.set_page_load_timeout(120)
    return Browser(started)
