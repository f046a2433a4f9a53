"""What a configuration that is read again may change of a service that runs."""

import pytest

from motionseg.apps.service.config import load_config
from motionseg.apps.service.service import Service

CAMERA = '[[camera]]\nname = "door"\nsource = "door.mp4"\n'


@pytest.fixture
def reloaded(tmp_path):
    """Of a service that was made by the first `[service]`, and has read the second one."""
    path, services = tmp_path / "c.toml", []

    def make(*sections):
        for section in sections:
            path.write_text(f"[service]\n{section}\n{CAMERA}")
            if not services:
                services.append(Service(load_config(path), path=path))
            else:
                changes = services[0].reload()
        token = services[0].config.service.token
        return changes, None if token is None else token.get_secret_value()

    yield make
    for service in services:
        service.ledger.stop(5)


OTHERS, OURS = 'host = "0.0.0.0"\n', 'host = "127.0.0.1"\n'


def test_another_token_is_asked_for_at_once(reloaded):
    changes, token = reloaded(f'{OTHERS}token = "first-one"', f'{OTHERS}token = "another-one"')
    assert (changes, token) == (["service.token: from now on"], "another-one")


def test_nobody_comes_in_without_one_where_others_reach_us(reloaded):
    changes, token = reloaded(f'{OTHERS}token = "first-one"', OURS)
    assert (changes, token) == (["service: restart the service"], "first-one")


def test_on_loopback_it_may_be_given_up(reloaded):
    changes, token = reloaded(f'{OURS}token = "first-one"', OURS)
    assert (changes, token) == (["service.token: from now on"], None)


def test_what_needs_a_restart_is_said_each_time(reloaded):
    changes, _ = reloaded(
        OURS, f"{OURS}port = 8081", f"{OURS}port = 8081\n[store]\nkeep_days = 3\n[recordings]\nclips = false"
    )
    assert changes == [f"{part}: restart the service" for part in ("service", "store", "recordings")]
