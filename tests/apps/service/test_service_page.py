"""The page in a real browser: what a person sees and does, with a mouse and a keyboard."""

import os
import re
import shutil
import time

import httpx
import pytest
from fake_service import FakeService, serving, street, wait_for

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync --window-size=1300,900"
MEAN = """
const image = document.querySelector(arguments[0]);
if (!image || !image.naturalWidth) return null;
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [80, 45];
const context = canvas.getContext("2d");
context.drawImage(image, 0, 0, 80, 45);
return Array.from(context.getImageData(0, 0, 80, 45).data).filter((_, i) => i % 4 === 1);
"""

UPDATES = """
const done = arguments[0];
import("./page/dom.js").then(({ el, update }) => {
  const box = el("div");
  document.body.append(box);
  const bar = (width) => {
    const i = el("i");
    i.style.width = width;
    return el("div", { title: width === "1%" ? width : null }, i, `so much: ${width}`);
  };
  update(box, bar("1%"));
  const [div, i] = [box.firstChild, box.firstChild.firstChild];
  update(box, bar("2%"));
  const same = div.isConnected && i.isConnected;
  const changed = [i.style.width, div.hasAttribute("title"), div.textContent];
  const named = (...names) => names.map((name) => el("p", { data: { id: name } }, name));
  update(box, el("h2", {}, "day"), named("a", "b"), el("details", {}, el("summary", {}, "more")));
  const a = box.querySelector("[data-id=a]");
  box.querySelector("details").open = true;
  update(box, el("h2", {}, "next day"), named("c", "a"), el("details", {}, el("summary", {}, "less")), "text");
  const moved = [a.isConnected, box.querySelector("details").open, box.innerText.split(/\\n+/).join("|")];
  box.remove();
  done([same, changed, moved]);
});
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = FakeService(tmp_path_factory.mktemp("service"), {"yard": street, "door": street}, fps=8).start()
    wait_for(lambda: all(lookout.latest() for lookout in running.lookouts.values()), 120)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def url(service):
    with serving(service) as address:
        yield address


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    options, home = webdriver.ChromeOptions(), tmp_path_factory.mktemp("chromium")
    options.binary_location = CHROMIUM
    for flag in [*FLAGS.split(), f"--user-data-dir={home / 'profile'}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(home)
    try:
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    finally:
        os.environ.pop("HOME") if before is None else os.environ.update(HOME=before)
    driver.set_page_load_timeout(30)
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium):
    """The browser; what it complained of fails the test."""
    chromium.get_log("browser")
    chromium.expected = ()
    yield chromium
    complaints = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    chromium.get("about:blank")
    assert not [text for text in complaints if not any(word in text for word in chromium.expected)]


def show(browser, url, where=""):
    browser.get("about:blank")
    browser.get(f"{url}/#/{where}")


def find(browser, selector, text=None):
    """The first element of that kind that is shown, as soon as it is there."""

    def there():
        for element in browser.find_elements("css selector", selector):
            try:
                if element.is_displayed() and (text is None or text in element.text):
                    return element
            except Exception as error:
                if type(error).__name__ != "StaleElementReferenceException":
                    raise
        return None

    try:
        return wait_for(there)
    except AssertionError:
        page = browser.find_element("css selector", "body").text
        raise AssertionError(f"no {selector} with {text!r} on the page:\n{page}") from None


def click(browser, selector, text=None):
    """Clicks it; lists are drawn anew while one aims."""

    def done():
        try:
            find(browser, selector, text).click()
            return True
        except Exception as error:
            if type(error).__name__ not in ("StaleElementReferenceException", "ElementClickInterceptedException"):
                raise
            return None

    wait_for(done)


def pixels(browser, selector):
    return wait_for(lambda: browser.execute_script(MEAN, selector))


def changes(browser, selector):
    """Whether a picture goes on."""
    first = pixels(browser, selector)
    return wait_for(lambda: max(abs(a - b) for a, b in zip(first, pixels(browser, selector), strict=True)) > 20)


def mouse(browser, selector, points, *, drag=False):
    """Clicks points given in parts of an element, or drags from the first to the last."""
    from selenium.webdriver import ActionChains

    element = browser.find_element("css selector", selector)
    width, height = element.size["width"], element.size["height"]
    actions = ActionChains(browser, duration=50)
    for number, (x, y) in enumerate(points):
        actions.move_to_element_with_offset(element, round((x - 0.5) * width), round((y - 0.5) * height))
        if not drag:
            actions.click().pause(0.05)
        elif number == 0:
            actions.click_and_hold()
    (actions.release() if drag else actions).perform()


def setup(url, camera="yard"):
    return httpx.get(f"{url}/api/cameras/{camera}/setup").json()


class TestLooking:
    def test_the_wall_shows_pictures_that_change(self, browser, url):
        show(browser, url)
        assert "2 of 2 running" in find(browser, ".summary", "running").text
        assert changes(browser, ".camera[href='#/camera/door'] img")
        assert find(browser, ".heard").text == "Live"

    def test_the_live_view_shows_pixels_that_change(self, browser, url):
        show(browser, url)
        click(browser, ".camera[href='#/camera/yard']")
        assert changes(browser, ".stage img")
        assert "ms, 95 %" in find(browser, ".facts-list", "Latency").text

    def test_what_is_redrawn_is_changed_in_place(self, browser, url):
        show(browser, url, "system")
        find(browser, "tbody")
        assert browser.execute_async_script(UPDATES) == [
            True,
            ["2%", False, "so much: 2%"],
            [True, True, "next day|c|a|less|text"],
        ]

    def test_layers_are_switched(self, browser, url):
        show(browser, url, "camera/yard")
        for layer in ("mask", "tracks", "zones"):
            button = find(browser, f"[data-layer={layer}]")
            assert button.get_attribute("aria-pressed") == "true"
            button.click()
            assert button.get_attribute("aria-pressed") == "false"
        assert "layers=frame&" in browser.find_element("css selector", ".stage img").get_attribute("src")
        assert pixels(browser, ".stage img")
        for layer in ("mask", "tracks", "zones"):
            find(browser, f"[data-layer={layer}]").click()

    def test_a_lost_connection_is_shown(self, browser, tmp_path):
        browser.expected = ("ERR_", "net::", "404", "Failed to load")
        with serving(FakeService(tmp_path, {"yard": street})) as url:
            show(browser, url)
            assert wait_for(lambda: find(browser, ".heard").text == "Live")
        assert "Connection lost" in find(browser, "#lost").text
        assert find(browser, ".heard").text == "Offline"

    def test_why_pixels_are_foreground(self, browser, url):
        show(browser, url, "camera/yard/why")
        assert changes(browser, ".stage img")

    def test_the_system(self, browser, url):
        show(browser, url, "system")
        assert "yard" in find(browser, "tbody").text
        click(browser, "button", "Read the configuration again")
        assert "camera yard: fps" in find(browser, ".toast").text


class TestEditing:
    @pytest.fixture(autouse=True)
    def _back(self, url):
        yield
        httpx.delete(f"{url}/api/cameras/yard/edits").raise_for_status()

    def test_a_polygon_drawn_by_mouse_changes_the_events(self, browser, url):
        show(browser, url, "camera/yard/zones")
        assert pixels(browser, ".stage img")
        click(browser, "button", "+ Zone")
        corners = [(0.72, 0.55), (0.97, 0.55), (0.97, 0.97), (0.72, 0.97)]
        mouse(browser, ".canvas", [*corners, corners[0]])
        name = find(browser, ".shape-card.selected input")
        name.clear()
        name.send_keys("corner")
        find(browser, "#save").click()
        assert "Saved" in find(browser, ".toast").text
        facts = setup(url)
        zone = next(zone for zone in facts["zones"] if zone["name"] == "corner")
        for (x, y), (u, v) in zip(zone["points"], corners, strict=True):
            assert abs(x - u) < 0.01
            assert abs(y - v) < 0.01
        rule = next(rule for rule in facts["rules"] if rule.get("zones") == ["corner"])
        assert rule["kind"] == "enter"
        found = wait_for(lambda: httpx.get(f"{url}/api/events?zone=corner").json()["events"] or None, 60)
        assert found[0]["rule"] == rule["name"]
        show(browser, url)
        assert find(browser, ".side .event", "corner")

    def test_points_are_dragged_added_removed_and_taken_back(self, browser, url):
        show(browser, url, "camera/yard/zones")
        click(browser, "[data-card=yard] .shape-head")
        mouse(browser, ".canvas", [(0.05, 0.35), (0.2, 0.2)], drag=True)  # a corner
        mouse(browser, ".canvas", [(0.325, 0.97), (0.3, 0.8)], drag=True)  # the middle of the lower side
        find(browser, "#save").click()
        find(browser, ".toast", "Saved")
        points = setup(url)["zones"][0]["points"]
        assert len(points) == 5
        assert points[0] == pytest.approx([0.2, 0.2], abs=0.01)
        assert points[3] == pytest.approx([0.3, 0.8], abs=0.01)
        from selenium.webdriver import Keys

        grip = find(browser, ".handle[data-point='3']")
        browser.execute_script("arguments[0].focus()", grip)
        browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
        browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
        browser.switch_to.active_element.send_keys(Keys.DELETE)
        assert len(browser.find_elements("css selector", ".handle")) == 4
        click(browser, "button", "Undo")
        assert len(browser.find_elements("css selector", ".handle")) == 5
        click(browser, "button", "Undo")
        click(browser, "button", "Undo")
        assert not find(browser, "#save").is_enabled()  # as it was saved

    def test_what_is_wrong_stands_beside_the_shape(self, browser, url):
        show(browser, url, "camera/yard/zones")
        click(browser, "[data-card=yard] .shape-head")
        mouse(browser, ".canvas", [(0.05, 0.35), (0.8, 0.9)], drag=True)  # over the other side
        assert "sides cross" in find(browser, "[data-card=yard] .error").text
        assert not find(browser, "#save").is_enabled()
        click(browser, ".actions button", "Cancel")
        assert not browser.find_elements("css selector", "[data-card=yard] .error")
        assert setup(url)["zones"][0]["points"][0] == [0.05, 0.35]

    def test_what_the_service_refuses_stands_beside_the_rule(self, browser, url):
        browser.expected = ("422",)
        show(browser, url, "camera/yard/zones")
        click(browser, "[data-card=yard] .shape-head")
        click(browser, ".rule summary", "Enter")
        click(browser, ".rule .more summary")
        pause = find(browser, ".rule .more .field", "Hysteresis").find_element("css selector", "input")
        pause.clear()
        pause.send_keys("7")
        find(browser, "#save").click()
        assert "hysteresis" in find(browser, ".rule .error").text
        click(browser, ".actions button", "Cancel")

    def test_a_line_and_its_rule(self, browser, url):
        show(browser, url, "camera/yard/zones")
        click(browser, "button", "+ Line")
        mouse(browser, ".canvas", [(0.2, 0.1), (0.2, 0.9), (0.2, 0.9)])  # the last one twice ends it
        assert find(browser, ".shape-card.selected", "line")
        left = find(browser, ".shape-card.selected .field", "Left side").find_element("css selector", "input")
        left.clear()
        left.send_keys("west")
        find(browser, "#save").click()
        find(browser, ".toast", "Saved")
        facts = setup(url)
        assert facts["lines"][-1]["sides"] == ["west", "b"]
        assert any(rule["kind"] == "cross" and rule["lines"] == ["line"] for rule in facts["rules"])

    def test_leaving_without_saving_is_asked_about(self, browser, url):
        show(browser, url, "camera/yard/zones")
        click(browser, "[data-card=yard] .shape-head")
        click(browser, "button", "Delete zone")
        find(browser, "nav a[data-where=events]").click()
        click(browser, "dialog button", "Cancel")
        wait_for(lambda: browser.current_url.endswith("#/camera/yard/zones"))
        find(browser, "nav a[data-where=events]").click()
        click(browser, "dialog button", "Leave")
        find(browser, "h1", "Events")
        assert [zone["name"] for zone in setup(url)["zones"]] == ["yard"]

    def test_tuning_changes_the_mask(self, browser, url):
        show(browser, url, "camera/yard/tuning")
        white = "figure:nth-child(2) img"
        wait_for(lambda: sum(value > 128 for value in pixels(browser, white)) > 10)  # something moves
        exact = find(browser, "[data-key=min_area] input[type=number]")
        exact.clear()
        exact.send_keys("4000\t")
        find(browser, ".hint", "In force")
        assert setup(url)["tuning"]["min_area"]["value"] == 4000
        wait_for(lambda: sum(value > 128 for value in pixels(browser, white)) == 0)  # nothing is as large
        click(browser, "button", "Reset")
        wait_for(lambda: setup(url)["tuning"]["min_area"]["value"] == 20)
        wait_for(lambda: sum(value > 128 for value in pixels(browser, white)) > 10)

    def test_sliders_send_their_numbers(self, browser, url):
        from selenium.webdriver import Keys

        show(browser, url, "camera/yard/tuning")
        find(browser, "#tune-threshold").send_keys(Keys.ARROW_RIGHT * 3)
        wait_for(lambda: setup(url)["tuning"]["threshold"]["value"] == 31)


class TestHappening:
    def test_the_timeline_opens_a_clip_that_plays(self, browser, url):
        httpx.delete(f"{url}/api/cameras/yard/edits").raise_for_status()

        def finished():
            events = httpx.get(f"{url}/api/events").json()["events"]
            return next((event for event in events if event["clip"] and event["reason"]["kind"] == "enter"), None)

        event = wait_for(finished, 90)
        show(browser, url, "events")
        bar = find(browser, f"rect[data-id='{event['id']}']")  # others may lie over it
        browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", bar)
        wait_for(lambda: browser.current_url.endswith(f"#/events/{event['id']}"))
        find(browser, ".detail video")
        video = "document.querySelector('.detail video')"
        wait_for(lambda: browser.execute_script(f"return {video}.readyState >= 3"))
        browser.execute_script(f"{video}.play()")
        wait_for(lambda: browser.execute_script(f"return {video}.currentTime > 0.2"))
        browser.execute_script(f"{video}.currentTime = {video}.duration - 0.3")
        wait_for(lambda: browser.execute_script(f"return {video}.readyState >= 2 && {video}.seeking === false"))
        why = find(browser, ".why").text
        assert "Inside the zone\n100 %" in why
        assert "Needed: 50 %" in why
        assert re.search(r"\n#\d+ [\d,]+ \d+ % \d+ (confirmed|merged|split)", why), why
        assert browser.find_elements("css selector", ".cues .axis")
        click(browser, ".detail button", "Snapshot")
        assert len(set(pixels(browser, ".detail .stage img"))) > 10
        click(browser, ".detail button", "Evidence")
        assert pixels(browser, ".detail .stage img")

    def test_events_come_by_themselves_and_are_filtered(self, browser, url):
        show(browser, url, "events")
        find(browser, ".fill .event")
        script = "return [...document.querySelectorAll('.fill a.event')].map((row) => row.dataset.id)"
        known = set(browser.execute_script(script))
        nodes = "[...document.querySelectorAll('.fill a.event, .timeline rect.span')]"
        browser.execute_script(f"window.before = {nodes}; document.querySelector('.fill a.event').focus()")
        focused = browser.execute_script("return document.activeElement.dataset.id")
        wait_for(lambda: bool(set(browser.execute_script(script)) - known), 60)
        anew = f"return {nodes}.filter((node) => window.before.some((old) => old !== node"
        anew += " && old.nodeName === node.nodeName && old.dataset.id === node.dataset.id)).length"
        assert browser.execute_script(anew) == 0  # a press or the focus outlives what comes
        assert browser.execute_script("return window.before.some((node) => node.isConnected)")
        assert browser.execute_script("return document.activeElement.dataset.id") == focused
        browser.execute_script(
            "const camera = document.querySelector('select[aria-label=Camera]');"
            "camera.value = 'door'; camera.dispatchEvent(new Event('change'))"
        )
        wait_for(lambda: all(id.startswith("door-") for id in browser.execute_script(script)))


class TestSigningIn:
    def test_with_the_token_only(self, browser, tmp_path):
        browser.expected = ("401", "503")
        with serving(FakeService(tmp_path, {"yard": street}, token="s3cret")) as url:
            show(browser, url)
            find(browser, "#token").send_keys("wrong\n")
            assert "not the token" in find(browser, ".login .error").text
            find(browser, "#token").send_keys("s3cret\n")
            assert find(browser, "h1", "Cameras")
            assert wait_for(lambda: find(browser, ".heard").text == "Live")
            cookie = browser.get_cookie("motionseg_session")
            assert cookie["httpOnly"]
            assert cookie["sameSite"] == "Strict"
            assert browser.execute_script("return document.cookie") == ""
            assert "s3cret" not in browser.current_url
            browser.refresh()
            click(browser, "button", "Sign out")
            assert find(browser, "#token")
            show(browser, url, "events")
            assert find(browser, "#token")
            time.sleep(0.3)
