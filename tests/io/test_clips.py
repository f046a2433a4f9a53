"""Clips: cut at key frames, copied packet by packet, whole or not at all."""

from __future__ import annotations

import itertools
import logging
import resource
import subprocess
import threading
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from motionseg.core.errors import OutputError, ParameterError, SourceError
from motionseg.io import PacketRing, VideoWriter, copy_clip, open_video
from motionseg.io._packets import parameter_sets

H264 = {"codec": "libx264", "pixels": "yuv420p", "g": "10", "sc_threshold": "0", "crf": "10"}


@pytest.fixture
def numbered() -> list[np.ndarray]:
    """100 pictures of 64x48 with their number in binary in the first row: blocks of 8x8, black or white."""
    pictures = []
    for i in range(100):
        picture = np.full((48, 64, 3), 90, np.uint8)
        picture[16:, i % 60 : i % 60 + 4] = 200
        for bit in range(7):
            picture[:8, 8 * bit : 8 * bit + 8] = 255 * (i >> bit & 1)
        pictures.append(picture)
    return pictures


def numbers(path) -> list[int]:
    """The number in each picture of a clip."""
    with open_video(path) as video:
        n = video.width // 8
        return [sum(int(f[n // 2, n * b + n // 2, 0] > 128) << b for b in range(7)) for _, _, f in video]


def payloads(path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.video[0]) if p.size]


def kept(path, seconds=60.0, **arguments) -> PacketRing:
    ring = PacketRing(seconds, **arguments)
    with open_video(path, on_packet=ring.add) as video:
        for _ in video:
            pass
    return ring


def test_a_clip_starts_at_the_key_frame_and_holds_the_packets_as_they_were(make_video, numbered, tmp_path):
    source = make_video("a.mp4", numbered, bf="0", **H264)
    ring = kept(source)
    facts = ring.save(tmp_path / "new" / "clip.mp4", 1.0, 2.0)
    assert facts.path == tmp_path / "new" / "clip.mp4"
    assert numbers(facts.path) == list(range(20, 51))
    assert payloads(facts.path) == payloads(source)[20:51]
    assert (facts.start, facts.end) == pytest.approx((0.8, 2.0))
    assert (facts.n_frames, facts.codec, facts.width, facts.height) == (31, "h264", 64, 48)
    assert facts.is_copied
    assert facts.plays_in_browser
    assert facts.n_bytes == facts.path.stat().st_size
    data = facts.path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat"), "the index is in front"
    assert not list(facts.path.parent.glob(".*")), "no temporary files stay"


@pytest.mark.parametrize(
    "options", [{"bf": "0"}, {"bf": "3", "b_strategy": "0"}, {"bf": "2", "x264-params": "open-gop=1"}]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_the_same_frames_whatever_the_container(make_video, numbered, tmp_path, name, options):
    source = make_video(name, numbered, **{**H264, **options})
    ring = kept(source)
    facts = copy_clip(source, tmp_path / "copied.mp4", 1.3, 2.5)
    for path in (ring.save(tmp_path / "kept.mp4", 1.3, 2.5).path, facts.path):
        seen = numbers(path)
        assert seen[0] in (29, 30) if "x264-params" in options else seen[0] == 30
        assert seen == list(range(seen[0], seen[-1] + 1)), "without gaps and in order"
        assert 62 <= seen[-1] <= 66
        with open_video(path) as video:
            times = [time for _, time, _ in video]
        assert times == pytest.approx(np.arange(len(times)) / 25, abs=1e-3)


def test_clips_of_overlapping_times_do_not_disturb_one_another(make_video, numbered, tmp_path):
    ring = kept(make_video("a.ts", numbered, **H264))
    spans = [(0.0, 2.0), (1.0, 3.0), (1.0, 3.0), (0.5, 3.9)]
    threads = [threading.Thread(target=ring.save, args=(tmp_path / f"{i}.mp4", *span)) for i, span in enumerate(spans)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(tmp_path / "1.mp4") == numbers(tmp_path / "2.mp4")
    assert numbers(tmp_path / "0.mp4")[:5] == [0, 1, 2, 3, 4]
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "2.mp4").read_bytes()


def test_the_ring_forgets_but_for_the_key_frame_that_is_needed(make_video, numbered, tmp_path):
    ring = kept(make_video("a.mp4", numbered, bf="0", **H264), 1.5)
    assert ring.span == pytest.approx((2.4, 3.96))  # 3.96 - 1.5 lies in the group that begins at 2.4
    assert numbers(ring.save(tmp_path / "a.mp4", 0, 9).path) == list(range(60, 100))
    with pytest.raises(OutputError, match=r"a\.mp4: nothing is kept of 0\.50 to 1\.00 s"):
        ring.save(tmp_path / "a.mp4", 0.5, 1.0)
    with pytest.raises(OutputError, match="nothing is kept"):
        ring.save(tmp_path / "a.mp4", 5, 6)
    with pytest.raises(ParameterError, match="end"):
        ring.save(tmp_path / "a.mp4", 6, 5)


def test_bytes_are_bounded_and_that_is_said_once(make_video, numbered, caplog):
    source = make_video("a.mp4", numbered, bf="0", **H264)
    total = sum(map(len, payloads(source)))
    with caplog.at_level(logging.WARNING):
        ring = kept(source, max_bytes=total // 3)
    assert 0 < ring.n_bytes <= total // 3
    assert ring.span[1] == pytest.approx(3.96)
    assert [r for r in caplog.messages if "clips reach back" in r] == caplog.messages[-1:]
    assert kept(source, max_bytes=10).span is None, "not even one group of pictures fits"


@pytest.mark.parametrize("slab", [1, 3000, 1 << 20])
def test_packets_that_were_moved_out_of_the_heap_are_as_they_were(make_video, numbered, monkeypatch, tmp_path, slab):
    monkeypatch.setattr("motionseg.io.clips._SLAB", slab)
    source = make_video("a.mp4", numbered, bf="2", **H264)
    ring = kept(source)
    moved = [isinstance(packet.data, memoryview) for group in ring._groups for packet in group.packets]
    assert any(moved) == (slab < 1 << 20)
    assert not any(moved[-10:]), "the last group still grows"
    assert payloads(ring.save(tmp_path / "clip.mp4", 0, 9).path) == payloads(source)
    total = ring.n_bytes
    short = kept(source, max_bytes=total // 3)  # groups go before they are moved, and after
    n = len(numbers(short.save(tmp_path / "short.mp4", 0, 9).path))
    assert payloads(tmp_path / "short.mp4") == payloads(source)[-n:]
    with monkeypatch.context() as full:

        def no_more(*_, **__):
            raise OSError("Cannot allocate memory")

        full.setattr("motionseg.io.clips.mmap.mmap", no_more)
        assert payloads(kept(source).save(tmp_path / "heap.mp4", 0, 9).path) == payloads(source)
    pictures = PacketRing(2)
    for number, picture in enumerate(numbered):
        pictures.add_picture(picture, number / 25)
    clip = pictures.save(tmp_path / "pictures.mp4", 0, 9)
    assert numbers(clip.path) == list(range(99 - 50, 100))


def test_without_a_key_frame_there_is_nothing(make_video, numbered, tmp_path):
    ring = PacketRing(10)
    with av.open(str(make_video("a.mp4", numbered, **H264))) as container:
        for packet in container.demux(video=0):
            if packet.size and not packet.is_keyframe:
                ring.add(packet)
    assert ring.span is None
    with pytest.raises(OutputError):
        ring.save(tmp_path / "a.mp4", 0, 1)


def feed(ring, path, *, offset=0.0, change=lambda packet, i: None) -> None:
    """Packets of a file at its times + `offset`."""
    with av.open(str(path)) as container:
        for i, packet in enumerate(p for p in container.demux(video=0) if p.size):
            time = offset + float(packet.dts * packet.time_base)
            change(packet, i)
            ring.add(packet, time)


def test_stamps_that_jump_wrap_or_are_missing(make_video, numbered, tmp_path):
    source = make_video("a.ts", numbered, bf="0", **H264)

    def jump(packet, i):
        if i >= 40:  # a camera that set its clock, then wraps
            shift = (1 << 33) - 90000 if i < 70 else -130000
            packet.dts, packet.pts = packet.dts + shift, packet.pts + shift

    def lose(packet, i):
        if i % 3:
            packet.dts = packet.pts = None

    for change in (jump, lose):
        ring = PacketRing(60)
        feed(ring, source, change=change, offset=1000)
        facts = ring.save(tmp_path / "a.mp4", 1000, 1010)
        assert numbers(facts.path) == list(range(100))
        with open_video(facts.path) as video:
            times = [time for _, time, _ in video]
        assert times == pytest.approx(np.arange(100) / 25, abs=0.01)


def test_a_source_that_comes_back_is_one_clip_and_another_is_not(make_video, numbered, tmp_path):
    source = make_video("a.ts", numbered, bf="0", **H264)
    other = make_video("b.ts", [cv2.resize(p, (96, 72)) for p in numbered], bf="0", **H264)
    ring = PacketRing(60)
    feed(ring, source, offset=0)
    feed(ring, source, offset=6)  # 6 s after its start, two after its end
    facts = ring.save(tmp_path / "twice.mp4", 0, 10)
    assert numbers(facts.path) == [*range(100), *range(100)]
    assert facts.end == pytest.approx(9.96)
    feed(ring, other, offset=10)
    facts = ring.save(tmp_path / "other.mp4", 9, 20)
    assert (facts.width, facts.height, facts.n_frames) == (96, 72, 100)
    assert numbers(facts.path) == list(range(100))
    assert ring.save(tmp_path / "longer.mp4", 0, 12).width == 64


def test_a_source_that_is_joined_before_its_key_frame(make_video, numbered, tmp_path):
    source = make_video("a.ts", numbered, bf="0", **H264)
    ring = PacketRing(60)
    feed(ring, source)
    with av.open(str(source)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        key = next(i for i, p in enumerate(packets) if i and p.is_keyframe)
        for i, packet in enumerate(packets[1:]):
            ring.add(packet, 5 + i / 25)
    assert numbers(ring.save(tmp_path / "a.mp4", 0, 20).path) == [*range(100), *range(key, 100)]


def test_a_size_that_changes_within_one_stream(make_video, numbered, tmp_path):
    small = make_video("a.ts", numbered[:50], bf="0", **H264)
    large = make_video("b.ts", [cv2.resize(p, (96, 72)) for p in numbered[:50]], bf="0", **H264)
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    ring, times = PacketRing(60), itertools.count()
    with av.open(str(both)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                ring.add(packet, next(times) / 25)
    for start, width in ((0, 64), (2.5, 96)):
        facts = ring.save(tmp_path / "a.mp4", start, start + 1.4)
        assert facts.width == width
        with open_video(facts.path) as video:
            assert video.width == width
            assert facts.n_frames == len(list(video)) > 30


@pytest.mark.parametrize("codec", ["hevc", "mpeg4", "mpeg2video", "vp8", "mjpeg", "ffv1", "rawvideo"])
def test_codecs(make_video, numbered, tmp_path, codec):
    if {"hevc": "libx265", "vp8": "libvpx"}.get(codec, codec) not in av.codecs_available:
        pytest.skip(f"FFmpeg cannot encode {codec} here")
    pixels = {"mjpeg": "yuvj420p", "ffv1": "bgr0", "rawvideo": "yuv420p"}.get(codec, "yuv420p")
    encoder = {"hevc": "libx265", "vp8": "libvpx"}.get(codec, codec)
    options = {"x265-params": "log-level=none:keyint=10:bframes=0"} if codec == "hevc" else {"g": "10"}
    options |= {"unit": Fraction(1, 25)} if codec == "mpeg2video" else {}
    source = make_video("a.mkv", numbered, codec=encoder, pixels=pixels, **options)
    ring = PacketRing(60)
    took = []
    with open_video(source, on_packet=lambda packet: took.append(ring.add(packet))) as video:
        assert len(list(video)) == 100
    assert set(took) == {codec != "rawvideo"}
    made = [copy_clip(source, tmp_path / "copied.mp4", 1.0, 2.0)]
    made += [ring.save(tmp_path / "kept.mp4", 1.0, 2.0)] if all(took) else []
    for facts in made:
        assert facts.is_copied == (codec not in ("mjpeg", "rawvideo"))
        assert facts.path.suffix == (".mkv" if codec in ("mpeg2video", "vp8", "ffv1") else ".mp4")
        assert facts.codec == (codec if facts.is_copied else "h264")
        assert facts.plays_in_browser != facts.is_copied
        assert facts.start <= 1.0
        assert facts.end == pytest.approx(2.0, abs=0.05)
        seen = numbers(facts.path)
        assert len(seen) == facts.n_frames
        assert seen[-1] in (49, 50)
        assert seen[0] == round(facts.start * 25)


def test_pictures_become_a_clip(numbered, tmp_path):
    ring = PacketRing(2)
    for i, picture in enumerate(numbered):
        ring.add_picture(picture, 50 + i / 10)
    assert ring.span == pytest.approx((57.9, 59.9))
    facts = ring.save(tmp_path / "a.mp4", 58.45, 59.55)
    assert (facts.start, facts.end, facts.n_frames) == (pytest.approx(58.4), pytest.approx(59.5), 12)
    assert not facts.is_copied
    assert facts.plays_in_browser
    assert numbers(facts.path) == list(range(84, 96))


def test_a_folder_of_images_becomes_a_clip(numbered, tmp_path):
    (tmp_path / "shots").mkdir()
    for i, picture in enumerate(numbered[:30]):
        cv2.imwrite(str(tmp_path / "shots" / f"{i}.png"), picture)
    facts = copy_clip(tmp_path / "shots", tmp_path / "a.mp4", 0.4, 0.8)
    assert facts.n_frames == 10
    assert numbers(facts.path) == list(range(10, 20))


def test_a_hole_in_the_film_has_no_clip(make_video, numbered, tmp_path):
    source = make_video("a.mkv", numbered[:50], times=[i / 25 for i in (*range(25), *range(500, 525))], bf="0", **H264)
    with open_video(source) as video:
        assert len(list(video)) == 50
    with pytest.raises(SourceError, match="nothing between 5 and 8 s"):
        copy_clip(source, tmp_path / "clip.mp4", 5.0, 8.0)
    ring = kept(source)
    assert ring.holds(0.5, 0.8)
    assert not ring.holds(5.0, 8.0)


def test_what_cannot_be_read(make_video, numbered, tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        copy_clip(tmp_path / "no.mp4", tmp_path / "a.mp4", 0, 1)
    source = make_video("a.mp4", numbered, **H264)
    with pytest.raises(SourceError, match="nothing between 50 and 60 s"):
        copy_clip(source, tmp_path / "b.mp4", 50, 60)
    with pytest.raises(ParameterError, match="end"):
        copy_clip(source, tmp_path / "b.mp4", 5, 5)
    (tmp_path / "shots").mkdir()
    cv2.imwrite(str(tmp_path / "shots" / "0.png"), numbered[0])
    with pytest.raises(SourceError, match="nothing at or after 5 s"):
        copy_clip(tmp_path / "shots", tmp_path / "b.mp4", 5, 6)
    assert not (tmp_path / "b.mp4").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def full_disk():
    """Files end at 40 kB for this process, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["packets", "pictures"])
def test_a_full_disk_is_told_and_leaves_the_old_file(make_video, tmp_path, kind, request):
    noise = np.random.default_rng(0).integers(0, 256, (100, 48, 64, 3), dtype=np.uint8)
    source = make_video("a.mp4", noise, **H264)
    ring = kept(source)
    if kind == "pictures":
        ring = PacketRing(60)
        for i, picture in enumerate(noise.repeat(4, axis=1).repeat(4, axis=2)):
            ring.add_picture(picture, i / 25)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "a.mp4"
    path.write_bytes(b"old")
    request.getfixturevalue("full_disk")
    with pytest.raises(OutputError, match=r"a\.mp4: cannot be written: .*File too large"):
        ring.save(path, 0, 4)
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["a.mp4"]


def test_a_folder_that_cannot_be_made(make_video, numbered, tmp_path):
    ring = kept(make_video("a.mp4", numbered, **H264))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        ring.save(tmp_path / "file" / "a.mp4", 0, 1)


def test_damaged_packets_do_not_stop_a_clip(make_video, numbered, tmp_path):
    source = make_video("a.ts", numbered, bf="0", **H264)
    rng = np.random.default_rng(3)
    data = bytearray(source.read_bytes())
    for _ in range(60):
        at = rng.integers(3000, len(data) - 40)
        data[at : at + 20] = rng.bytes(20)
    source.write_bytes(data)
    ring = PacketRing(60)
    with av.open(str(source)) as container:
        for i, packet in enumerate(p for p in container.demux(video=0) if p.size):
            ring.add(packet, i / 25)
    facts = ring.save(tmp_path / "a.mp4", 0.5, 3.5)
    assert facts.n_frames > 40
    with av.open(str(facts.path)) as container:
        stamps = [p.dts for p in container.demux(video=0) if p.size]
    assert stamps == sorted(stamps)


def test_parameter_sets():
    annexb = bytes.fromhex("0000000167640001 00000168ee 000001 65aa 00000167ff")
    assert parameter_sets("h264", annexb) == bytes.fromhex(
        "00000001676400010000000168ee".replace("6764000100", "676400010000", 0)
    )
    assert parameter_sets("h264", b"\0\0\1\x65" + b"\0\0\1\x67\x42") == b""
    assert parameter_sets("hevc", bytes.fromhex("000001 4001aa 000001 4201bb 000001 2601cc")) == bytes.fromhex(
        "00000001 4001aa 00000001 4201bb"
    )
    assert parameter_sets("mpeg4", annexb) == b""
    assert parameter_sets("h264", b"") == b""


def test_ffprobe_has_nothing_to_say_against_it(make_video, numbered, tmp_path):
    ring = kept(make_video("a.ts", numbered, bf="2", **H264))
    facts = ring.save(tmp_path / "a.mp4", 1, 3)
    command = ["ffprobe", "-v", "warning", "-count_frames", "-show_entries"]
    command += ["stream=codec_name,nb_read_frames,start_time,r_frame_rate", "-of", "default=nw=1", str(facts.path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("no ffprobe")
    assert done.stderr == ""
    facts_told = dict(line.split("=") for line in done.stdout.split())
    assert facts_told["codec_name"] == "h264"
    assert int(facts_told["nb_read_frames"]) == facts.n_frames
    assert float(facts_told["start_time"]) == 0
    assert float(Fraction(facts_told["r_frame_rate"])) == pytest.approx(25)


def test_our_own_videos_can_be_cut(numbered, tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for i, picture in enumerate(numbered):
            writer.write(picture, i / 10)
    facts = copy_clip(tmp_path / "a.mp4", tmp_path / "b.mp4", 5.5, 7.0)
    assert facts.start <= 5.5
    assert numbers(facts.path) == list(range(round(10 * facts.start), 71))
