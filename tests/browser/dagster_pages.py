"""The pages of the Dagster UI, named as people name what is on them. What must be on them is for the tests to say.

Everything is found by its words and roles, and waited for: nothing sleeps. What does not come within `PATIENCE` seconds
is an error that says what the page showed instead.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

from PIL import Image
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60
_BORDER = 5  # pixels, between the navigation and the page
T = TypeVar("T")

# a page under construction: looked at again
_NOT_YET = (NoSuchElementException, StaleElementReferenceException, ElementClickInterceptedException)

_BOXES = "//*[local-name()='foreignObject']"

# what is read is read at one moment: pages change all the time
_TEXT = "return document.body.innerText"
_NODES = """
const boxes = [...document.querySelectorAll('foreignObject')].map(box => [box.firstElementChild, box]);
const named = boxes.map(([inner, box]) => [inner ? inner.innerText.trim().split('\\n')[0] : '', box]);
return named.filter(([name]) => name).map(([name, box]) => [name, box.getBoundingClientRect().toJSON()]);
"""
_METADATA = """
const rows = [...document.querySelectorAll('tr')].map(row => [...row.children].filter(cell => cell.matches('td')));
return rows.filter(row => row.length).map(row => row.map(cell => cell.innerText.trim()));
"""
_SIZES = "return [...document.querySelectorAll('td img')].map(image => [image.naturalWidth, image.naturalHeight])"
_CONFIG = "return [...document.querySelectorAll('.CodeMirror-line')].map(line => line.innerText).join('\\n')"

# the columns of a chart in which its line is, and how high: the line is the one thing on it that is not grey
_LINE = """
const canvas = arguments[0];
const {width, height} = canvas;
const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
const line = [];
for (let x = 0; x < width; x++) {
  for (let y = 0; y < height; y++) {
    const [r, g, b, a] = data.slice(4 * (y * width + x), 4 * (y * width + x) + 4);
    if (a > 200 && b - r > 60 && b - g > 60) { line.push([x / width, y / height]); break; }
  }
}
return line;
"""


# what moves has come to its end, and every icon is painted
_AT_REST = """
const done = arguments[arguments.length - 1];
const ending = document.getAnimations().filter(moving => moving.effect.getComputedTiming().endTime < Infinity);
const styles = [...document.querySelectorAll('[role=img]')].map(icon => icon.style);
const icons = new Set(styles.map(style => style.getPropertyValue('--icon-image-path')));
const files = [...icons].filter(icon => icon.startsWith('url(')).map(icon => icon.slice(4, -1));
Promise.allSettled([...ending.map(moving => moving.finished), ...files.map(file => fetch(file))])
  .then(() => requestAnimationFrame(() => requestAnimationFrame(done)));
"""


class DagsterPages:
    """One tab of a browser, on the UI at `address`."""

    def __init__(self, browser: Chrome, address: str) -> None:
        self.browser = browser
        self.address = address

    def wait(self, look: Callable[[], T], for_what: str) -> T:
        """What `look` gives when it first gives something."""
        waiting = WebDriverWait(self.browser, PATIENCE, poll_frequency=0.25, ignored_exceptions=_NOT_YET)
        try:
            return waiting.until(lambda _: look())
        except TimeoutException as error:
            raise AssertionError(f"{for_what} did not come; the page shows:\n{self.text()}") from error

    def open(self, path: str) -> None:
        """Go to a page of the UI."""
        self.browser.get(self.address + path)

    def text(self) -> str:
        """What is written on the page."""
        return str(self.browser.execute_script(_TEXT))

    def shows(self, *words: str) -> None:
        """Wait until all of these are written on the page."""
        self.wait(lambda: all(word in self.text() for word in words), " and ".join(words))

    def all(self, xpath: str) -> list[WebElement]:
        return self.browser.find_elements(By.XPATH, xpath)

    def click(self, xpath: str) -> None:
        """Click what there is, once it can be clicked."""

        def clicked() -> bool:
            found = self.browser.find_element(By.XPATH, xpath)
            if found.is_displayed() and found.is_enabled():
                found.click()
                return True
            return False

        self.wait(clicked, xpath)

    def press(self, button: str) -> None:
        """Click the button on which this is written; the foremost, where a dialog is open."""
        self.click(f"(//button[starts-with(normalize-space(.), '{button}')])[last()]")

    def dialog(self) -> WebElement:
        """The dialog in front."""
        found = self.wait(lambda: self.all("//*[@role='dialog']"), "a dialog")
        return found[-1]

    def page_alone(self) -> bytes:
        """A PNG of what the page shows, from the edge of the navigation on."""
        self.browser.execute_async_script(_AT_REST)
        navigation = "//a[@href='/overview']/ancestor::*[.//a[@href='/deployment']][1]"
        edge = self.browser.find_element(By.XPATH, navigation).rect
        with Image.open(BytesIO(self.browser.get_screenshot_as_png())) as picture:
            cut = picture.crop((round(edge["x"] + edge["width"]) + _BORDER, 0, picture.width, picture.height))
        out = BytesIO()
        cut.save(out, "PNG")
        return out.getvalue()

    # The graph

    def graph(self, *expanded: str) -> None:
        """The lineage of all assets, with these groups open."""
        groups = ",".join(f"global%40global%3A{group}" for group in expanded)
        self.open(f"/asset-groups?expanded={groups}")
        self.settled()

    def nodes(self) -> dict[str, dict[str, float]]:
        """The boxes of the graph, and where they are: groups as `products`, assets of an open group likewise."""
        return dict(self.browser.execute_script(_NODES))

    def settled(self) -> dict[str, dict[str, float]]:
        """The `nodes` when they have come to rest."""
        last: dict[str, dict[str, float]] = {}

        def still() -> dict[str, dict[str, float]]:
            nonlocal last
            before, last = last, self.nodes()
            return last if last == before else {}

        return self.wait(still, "a graph at rest")

    def open_group(self, group: str) -> None:
        """Click on a group of the graph."""
        self.click(f"{_BOXES}//*[normalize-space(.)='{group}'][not(*)]")

    # An asset

    def asset(self, asset: str, view: str = "overview", **more: str) -> None:
        """The page of an asset (`schema/name`): `overview`, `partitions`, `checks`."""
        self.open(f"/assets/{asset}?view={view}" + "".join(f"&{name}={value}" for name, value in more.items()))

    def metadata(self) -> dict[str, str]:
        """What the tables of metadata on the page say, by name: the last that stands in each row."""
        rows = self.browser.execute_script(_METADATA)
        return {name: next((cell for cell in reversed(cells) if cell), "") for name, *cells in rows}

    def pictures(self) -> list[tuple[int, int]]:
        """The width and height of each picture among the metadata as it came; 0 for one that is broken."""
        sizes = (
            "return [...document.querySelectorAll('td img')].map(image => [image.naturalWidth, image.naturalHeight])"
        )
        return [(width, height) for width, height in self.browser.execute_script(sizes)]

    def chart(self, name: str) -> list[tuple[float, float]]:
        """The line of the chart under this heading: from left to right, shares of its width and, downwards, height."""
        chart = f"//*[normalize-space(.)='{name}'][not(*)]/ancestor::*[.//canvas][1]//canvas"

        def drawn() -> Any:
            return self.browser.execute_script(_LINE, self.browser.find_element(By.XPATH, chart))

        return [(x, y) for x, y in self.wait(drawn, f"the chart of {name}")]

    def scroll_to(self, words: str) -> None:
        """Bring what says this to the top of the page."""
        found = self.browser.find_element(By.XPATH, f"//*[normalize-space(.)='{words}'][not(*)]")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'start'})", found)

    # The schedules and sensors

    def switch_all(self, which: str) -> None:
        """`Start` or `Stop` all schedules and sensors."""
        self.open("/automation")
        self.click("//label[contains(., 'Select all')]")
        self.press("Actions")
        self.click(f"//*[@role='menuitem'][starts-with(normalize-space(.), '{which} ')]")
        self.shows("Do you want to continue?")
        self.press(f"{which} ")

    # The launchpad

    def config(self) -> str:
        """What is in the editor of a launchpad."""
        return str(self.browser.execute_script(_CONFIG))

    def write_config(self, config: str) -> None:
        """Put this into the editor instead."""
        self.click("//*[contains(@class, 'CodeMirror-code')]")
        self.browser.switch_to.active_element.send_keys(Keys.CONTROL, "a")
        # as if pasted: to typed keys the editor adds indents and brackets of its own
        self.browser.execute_cdp_cmd("Input.insertText", {"text": config})
