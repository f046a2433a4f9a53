"""The MQTT sink and a real mosquitto: topics, retained states, Home Assistant's discovery, a broker that goes away."""

# ruff: noqa: F811 (fixtures are imported)

import gc
import json
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_servers import Mosquitto, broker, free_port, wait_until  # noqa: F401

from motionseg.apps.service.couriers import Courier, DeliveryError
from motionseg.apps.service.mqtt import MqttSink
from motionseg.apps.service.store import StoreError, Telling, open_store
from motionseg.apps.service.topics import Place, Topics, announcement, discovery, topic_word
from motionseg.core.errors import ParameterError
from motionseg.core.types import Event
from motionseg.events import Cross, CrowdCount, Enter, EventDetector, Line, Zone

paho = pytest.importorskip("paho.mqtt.client")

CAMERAS = {"door": {"zones": ["yard", "gate"], "rules": ["enter", {"name": "light", "kind": "light", "zones": [""]}]}}


def event(number=1, end=None, **others):
    facts = {"camera": "door", "rule": "enter", "zone": "yard", **others}
    return Event(f"{facts['camera']}-{number}-0", track_ids=(1,), start=1000.0, end=end, **facts)


def telling(number=1, end=None, at=None, **others):
    return Telling(event(number, end, **others), time.time() if at is None else at, number)


class Listening:
    """A client that notes all that it hears, and what is retained at the moment when it comes."""

    def __init__(self, port, *topics, **how):
        self.heard, self.ready = [], threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, clean_session=True)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics or ("#",)])
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_message = lambda _, __, message: self.heard.append(message)
        for name, value in how.items():
            getattr(self._client, name)(*value)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(10.0)

    def of(self, topic):
        return [message.payload.decode() for message in list(self.heard) if message.topic == topic]

    def last(self, topic):
        return (self.of(topic) or [None])[-1]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listening(broker):
    made = []

    def make(*topics, port=None, **how):
        made.append(Listening(port or broker.port, *topics, **how))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


@pytest.fixture
def sink_of(broker):
    made = []

    def make(**how):
        made.append(MqttSink("127.0.0.1", how.pop("port", broker.port), **how))
        made[-1].start()
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def retained(make_listener, *topics):
    """What the broker keeps, by topic."""
    listener = make_listener(*topics)
    quiet, n = time.monotonic(), -1
    while len(listener.heard) != n or time.monotonic() < quiet + 0.3:
        if len(listener.heard) != n:
            n, quiet = len(listener.heard), time.monotonic()
        time.sleep(0.02)
    return {m.topic: m.payload.decode() for m in listener.heard if m.retain}


# --- topics --------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_no_two_names_share_a_word(one, other):
    assert (topic_word(one) == topic_word(other)) == (one == other)
    assert topic_word(one).replace("_", "").replace("-", "").isalnum() or set(topic_word(one)) <= set("_-")
    assert topic_word(one).isascii()


@given(st.lists(st.text("a_x2 -/", max_size=5), min_size=4, max_size=4))
def test_no_two_places_share_an_entity_or_a_topic(names):
    one, other = Place("c", names[0], names[1]), Place("c", names[2], names[3])
    topics = Topics("m")
    found = [set(discovery("ha", topics, [], [place])) for place in (one, other)]
    assert (found[0] == found[1]) == (one == other)
    assert (topics.place(one) == topics.place(other)) == (one == other)


@pytest.mark.parametrize("prefix", ["", "a/#", "a+b", "$SYS/x", "/a", "a/", "a\0"])
def test_a_prefix_that_is_none_is_refused(prefix):
    with pytest.raises(ParameterError, match=r"mqtt\.topic is a topic without"):
        MqttSink("127.0.0.1", topic=prefix)


def test_what_a_detector_has_to_announce():
    places = [Zone("yard", [(0, 0), (9, 0), (9, 9)]), Zone("sky", [(0, 0), (9, 0), (9, 9)], kind="preclusive"),
              Line("fence", [(0, 0), (9, 9)]), Line("path", [(0, 0), (5, 9)])]  # fmt: skip
    rules = [
        Enter(zones="yard"),
        Enter(name="anywhere"),
        Cross(),
        Cross(name="over", lines="path"),
        CrowdCount(at_least=3),
    ]
    told = announcement(EventDetector(rules, places).rules, places)
    assert told["zones"] == ["yard", "sky", "fence", "path"]
    assert {rule["name"]: rule["zones"] for rule in told["rules"]} == {
        "enter": ["yard"],
        "anywhere": [""],
        "cross": ["fence", "path"],
        "over": ["path"],
        "crowd_count": [""],
        "light": ["", "sky"],
        "camera_covered": [""],
        "camera_moved": [""],
        "camera_blurred": [""],
        "light_drift": [""],
    }
    assert {rule["name"]: rule["kind"] for rule in told["rules"]}["over"] == "cross"


# --- what is published ---------------------------------------------------------------------


def test_each_telling_is_published_with_all_its_facts(broker, listening, sink_of):
    sink, listener = sink_of(topic="home/cams"), listening()
    told = [telling(1), telling(1, end=1004.0), telling(2, zone="")]
    sink.deliver(told)
    wait_until(lambda: len(listener.of("home/cams/door/events")) == 3)
    assert [json.loads(text) for text in listener.of("home/cams/door/events")] == [t.to_dict() for t in told]
    assert not any(m.retain for m in retained_messages(listening, "home/cams/door/events"))
    assert sink.status() == {"connected": True, "connections": 1}


def retained_messages(make_listener, topic):
    listener = make_listener(topic)
    time.sleep(0.2)
    return listener.heard


def test_states_are_on_as_long_as_an_event_is_open(broker, listening, sink_of):
    sink, listener = sink_of(), listening()
    sink.announce(CAMERAS)
    wait_until(lambda: listener.last("motionseg/door/gate/enter") == "OFF")
    sink.deliver([telling(1), telling(2)])
    sink.deliver([telling(3, rule="cross", zone="front line"), telling(3, end=1.0, rule="cross", zone="front line")])
    sink.deliver([telling(1, end=1.0)])
    assert retained(listening, "motionseg/+/+/+")["motionseg/door/yard/enter"] == "ON"
    sink.deliver([telling(2, end=1.0)])
    assert retained(listening, "motionseg/+/+/+") == {
        "motionseg/door/yard/enter": "OFF",
        "motionseg/door/gate/enter": "OFF",
        "motionseg/door/all/light": "OFF",
        "motionseg/door/front_x20line/cross": "OFF",
    }
    assert listener.of("motionseg/door/yard/enter") == ["OFF", "ON", "OFF"]
    assert listener.of("motionseg/door/front_x20line/cross") == ["ON", "OFF"]  # a moment is a pulse


def test_what_is_old_switches_nothing_on(broker, listening, sink_of):
    """After an hour without a broker no lamp goes on for what was."""
    now_open = [event(9, zone="gate")]
    sink, listener = sink_of(open_events=lambda: now_open), listening()
    sink.announce(CAMERAS)
    long_ago = time.time() - 3600
    sink.deliver(
        [telling(1, at=long_ago), telling(2, at=long_ago), telling(1, 5.0, long_ago), telling(2, 5.0, long_ago)]
    )
    wait_until(lambda: len(listener.of("motionseg/door/events")) == 4)
    assert listener.of("motionseg/door/yard/enter") == ["OFF"]
    assert listener.last("motionseg/door/gate/enter") == "ON"  # what is open is on, whenever it was told


def test_states_are_right_after_a_restart(broker, listening, sink_of):
    first = sink_of(open_events=lambda: [event(1), event(2, zone="gate")])
    first.announce(CAMERAS)
    first.deliver([telling(1), telling(2, zone="gate")])
    first.close()
    second = sink_of(open_events=lambda: [event(2, zone="gate")])
    second.announce(CAMERAS)
    wait_until(lambda: retained(listening)["motionseg/door/yard/enter"] == "OFF")
    assert retained(listening)["motionseg/door/gate/enter"] == "ON"


def test_a_store_that_is_away_changes_no_state(broker, listening, sink_of):
    def away():
        raise StoreError("away")

    sink = sink_of(open_events=away)
    sink.announce(CAMERAS)
    sink.deliver([telling(1)])
    assert retained(listening)["motionseg/door/yard/enter"] == "ON"
    sink.deliver([telling(1, end=3.0)])
    assert retained(listening)["motionseg/door/yard/enter"] == "OFF"


def test_the_service_and_its_cameras_are_online_or_not(broker, listening, sink_of):
    sink, listener = sink_of(), listening()
    wait_until(lambda: listener.last("motionseg/status") == "online")
    sink.announce({"door": {}, "gate": {}})
    sink.camera_state("door", {"state": "running", "frames_read": 12})
    sink.camera_state("gate", {"state": "waiting"})
    sink.camera_state("nobody", {"state": "running"})
    wait_until(lambda: listener.last("motionseg/gate/state"))
    assert json.loads(listener.last("motionseg/door/state")) == {
        "state": "online",
        "feed": "running",
        "frames_read": 12,
    }
    assert json.loads(listener.last("motionseg/gate/state"))["state"] == "offline"
    assert listener.last("motionseg/nobody/state") is None
    sink.close()
    wait_until(lambda: listener.last("motionseg/status") == "offline")
    assert retained(listening)["motionseg/status"] == "offline"
    assert not sink.status()["connected"]


def test_the_broker_says_that_we_are_gone(broker, listening, sink_of):
    """Killed, nobody says goodbye; the last will does."""
    sink, listener = sink_of(), listening()
    wait_until(lambda: listener.last("motionseg/status") == "online")
    raw = wait_until(lambda: sink._client)._client.socket()
    raw.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: "offline" in listener.of("motionseg/status"))
    wait_until(lambda: listener.last("motionseg/status") == "online")  # and it comes again
    assert sink.status()["connections"] == 2


# --- Home Assistant ------------------------------------------------------------------------


def test_what_home_assistant_finds(broker, listening, sink_of):
    sink = sink_of()
    sink.announce(CAMERAS)
    wait_until(lambda: sink.status()["connected"])
    sink.deliver([])
    configs = {t: json.loads(p) for t, p in retained(listening, "homeassistant/#").items()}
    assert sorted(configs) == [
        "homeassistant/binary_sensor/motionseg_x_door/_xonline/config",
        "homeassistant/binary_sensor/motionseg_x_door/all_x_light/config",
        "homeassistant/binary_sensor/motionseg_x_door/gate_x_enter/config",
        "homeassistant/binary_sensor/motionseg_x_door/yard_x_enter/config",
        "homeassistant/event/motionseg_x_door/_xevent/config",
        "homeassistant/sensor/motionseg_x_door/_xlast/config",
    ]
    yard = configs["homeassistant/binary_sensor/motionseg_x_door/yard_x_enter/config"]
    assert yard["state_topic"] == "motionseg/door/yard/enter"
    assert (yard["name"], yard["device_class"], yard["device"]["name"]) == ("yard enter", "motion", "door")
    assert [place["topic"] for place in yard["availability"]] == ["motionseg/status", "motionseg/door/state"]
    light = configs["homeassistant/binary_sensor/motionseg_x_door/all_x_light/config"]
    assert (light["name"], light["device_class"]) == ("light", "problem")
    assert len({config["unique_id"] for config in configs.values()}) == 6
    assert len({json.dumps(config["device"]) for config in configs.values()}) == 1


def test_the_templates_of_home_assistant_read_our_messages():
    """Its templates are Jinja's: an event that cannot break out of its text, and readable states."""
    jinja2 = pytest.importorskip("jinja2")
    found = discovery("ha", Topics("m"), ["door"], [])
    told = replace(event(3, 5.0), zone='a "quoted" <zone>')
    facts = Telling(told, 6.0, 7).to_dict()

    def render(topic):
        template = json.loads(found[topic])["value_template"]
        return jinja2.Environment().from_string(template).render(value_json=facts)

    rendered = json.loads(render("ha/event/m_x_door/_xevent/config"))
    assert rendered["event_type"] == "end"
    assert rendered["event_type"] in json.loads(found["ha/event/m_x_door/_xevent/config"])["event_types"]
    assert (rendered["zone"], rendered["end"], rendered["track_ids"]) == (told.zone, 5.0, [1])
    assert render("ha/sensor/m_x_door/_xlast/config") == 'enter a "quoted" <zone>'


def test_what_is_not_any_more_is_cleared(broker, listening, sink_of, tmp_path):
    memory = tmp_path / "mqtt.json"
    first = sink_of(memory=memory)
    first.announce({**CAMERAS, "shed": {"zones": [], "rules": ["enter"]}})
    first.camera_state("shed", {"state": "running"})
    first.deliver([telling(1, rule="cross", zone="line")])
    wait_until(lambda: "motionseg/shed/state" in retained(listening))
    first.announce({"door": {"zones": ["yard"], "rules": ["enter"]}, "shed": {"zones": [], "rules": ["enter"]}})
    kept = wait_until(lambda: (lambda k: "motionseg/door/gate/enter" not in k and k)(retained(listening)))
    assert "homeassistant/binary_sensor/motionseg_x_door/gate_x_enter/config" not in kept
    assert kept["motionseg/door/line/cross"] == "ON"  # it is open
    first.close()
    second = sink_of(memory=memory, open_events=lambda: [])  # in another run
    second.announce({"door": {"zones": ["yard"], "rules": ["enter"]}})
    kept = wait_until(lambda: (lambda k: not any("shed" in topic for topic in k) and k)(retained(listening)))
    assert sorted(topic for topic in kept if topic.startswith("motionseg")) == [
        "motionseg/door/yard/enter",
        "motionseg/status",
    ]
    assert len([topic for topic in kept if topic.startswith("homeassistant")]) == 4
    assert sorted(kept) == json.loads(memory.read_text())
    second.close()
    third = sink_of(memory=memory, discovery=None)
    third.announce({"door": {"zones": ["yard"], "rules": ["enter"]}})
    wait_until(lambda: not any(topic.startswith("homeassistant") for topic in retained(listening)))


def test_a_place_that_was_not_announced_appears_when_something_happens(broker, listening, sink_of):
    sink = sink_of()
    sink.announce(CAMERAS)
    sink.deliver([telling(1, rule="camera_moved", zone="")])
    kept = retained(listening)
    assert kept["motionseg/door/all/camera_moved"] == "ON"
    assert "homeassistant/binary_sensor/motionseg_x_door/all_x_camera_moved/config" in kept
    sink.deliver([telling(2, camera="shed")])
    kept = retained(listening)
    assert not any("shed" in topic for topic in kept)


# --- a broker that goes away ---------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    opened = open_store(None, tmp_path)
    yield opened
    opened.close()


@pytest.mark.slow
def test_a_broker_that_is_away_for_a_while_gets_all(broker, listening, store):
    sink = MqttSink("127.0.0.1", broker.port, open_events=store.open_events)
    sink.announce(CAMERAS)
    courier = Courier(sink, store)
    courier.start()
    store.record([telling(n) for n in range(5)])
    courier.wake()
    wait_until(lambda: store.cursor("mqtt") == 5)
    broker.stop()
    store.record([telling(n) for n in range(5, 300)])
    store.record([telling(n, end=3.0) for n in range(299)])
    courier.wake()
    time.sleep(1.0)
    assert not sink.status()["connected"]
    assert store.cursor("mqtt") == 5
    broker.start()
    listener = listening("motionseg/#")
    wait_until(lambda: store.cursor("mqtt") == 599, seconds=60.0)
    wait_until(lambda: len({json.loads(t)["number"] for t in listener.of("motionseg/door/events")}) == 594)
    numbers = [json.loads(text)["number"] for text in listener.of("motionseg/door/events")]
    assert list(dict.fromkeys(numbers)) == list(range(6, 600))  # each, in order
    assert retained(listening)["motionseg/door/yard/enter"] == "ON"
    store.record([telling(299, end=4.0)])
    courier.wake()
    wait_until(lambda: retained(listening)["motionseg/door/yard/enter"] == "OFF")
    assert courier.status()["behind"] == 0
    courier.stop(10.0)


def test_a_broker_that_forgets_everything_is_told_again(broker, listening, sink_of):
    sink = sink_of()
    sink.announce(CAMERAS)
    sink.deliver([telling(1)])
    broker.stop()
    for path in broker.folder.glob("*.db"):
        path.unlink()
    broker.start()
    wait_until(lambda: sink.status()["connections"] == 2, seconds=30.0)
    kept = wait_until(lambda: (lambda k: len(k) >= 10 and k)(retained(listening)))
    assert kept["motionseg/door/yard/enter"] == "ON"
    assert kept["motionseg/status"] == "online"


def test_nobody_there():
    sink = MqttSink("127.0.0.1", free_port())
    sink.start()
    stopper = threading.Timer(0.3, sink.interrupt)
    stopper.start()
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1:\d+: "):
        sink.deliver([telling(1)])
    stopper.join()
    sink.close()
    with pytest.raises(DeliveryError):
        sink.deliver([telling(1)])


def test_one_that_was_never_started_can_be_closed():
    sink = MqttSink("127.0.0.1", free_port())
    sink.announce(CAMERAS)
    sink.close()
    sink.close()
    sink.announce({})
    sink.camera_state("door", {"state": "running"})


# --- names, passwords, encryption ----------------------------------------------------------


def test_a_password_is_used_and_not_told(broker, listening, tmp_path, caplog):
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    maker = shutil.which("mosquitto_passwd")
    if not maker:
        pytest.skip("no mosquitto_passwd")
    subprocess.run([maker, "-b", str(passwords), "cams", "hidden-word"], check=True, capture_output=True)
    extra = f"allow_anonymous false\npassword_file {passwords}\n"
    guarded = Mosquitto(tmp_path / "guarded", extra=extra).start()
    try:
        good = MqttSink("127.0.0.1", guarded.port, username="cams", password="hidden-word")
        good.start()
        good.deliver([telling(1)])
        bad = MqttSink("127.0.0.1", guarded.port, username="cams", password="other-hidden-word")
        bad.start()
        wait_until(lambda: "not connected yet" not in bad._last_error)
        bad.interrupt()
        with pytest.raises(DeliveryError) as caught:
            bad.deliver([telling(1)])
        assert "hidden-word" not in str(caught.value) + caplog.text
        assert "uthor" in str(caught.value)  # not authorized
        good.close()
        bad.close()
    finally:
        guarded.stop()


def make_certificates(folder):
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("no openssl to make certificates with")

    def call(*arguments):
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=folder)

    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    call("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
         "-subj", "/CN=test ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    call("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "key.csr", "-subj", "/CN=127.0.0.1")
    call("x509", "-req", "-in", "key.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "cert.pem",
         "-days", "2", "-extfile", "san")  # fmt: skip


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_encrypted_connection_and_a_broker_that_is_not_trusted(tmp_path):
    if not shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
        pytest.skip("no mosquitto (Debian: mosquitto)")
    folder = tmp_path / "tls"
    folder.mkdir()
    make_certificates(folder)
    extra = f"allow_anonymous true\ncertfile {folder}/cert.pem\nkeyfile {folder}/key.pem\n"
    server = Mosquitto(folder, extra=extra).start()
    try:
        good = MqttSink("127.0.0.1", server.port, tls=True, ca_file=folder / "ca.pem")
        good.start()
        good.deliver([telling(1)])
        assert good.status()["connected"]
        good.close()
        wary = MqttSink("127.0.0.1", server.port, tls=True)
        wary.start()
        wait_until(lambda: "certificate" in wary._last_error.lower())
        wary.close()
        gc.collect()  # paho leaves the socket of a failed handshake to it
    finally:
        server.stop()


def test_a_ca_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ParameterError, match=rf"mqtt\.ca_file: .*{name}: cannot be read"):
            MqttSink("127.0.0.1", tls=True, ca_file=tmp_path / name)
