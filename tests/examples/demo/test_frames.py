import frames
import pytest
from hypothesis import given
from hypothesis import strategies as st

_frames = st.builds(
    frames.Frame, st.sampled_from([frames.TEXT, frames.PING, frames.PONG, frames.CLOSE]), st.binary(max_size=300)
)


@given(st.lists(_frames, max_size=5), st.booleans(), st.integers(1, 50))
def test_frames_arrive_as_they_were_sent_however_the_bytes_are_cut(sent, masked, cut):
    data = b"".join(frames.encode(frame, masked=masked) for frame in sent)
    parser = frames.FrameParser()
    for start in range(0, len(data), cut):
        parser.feed(data[start : start + cut])
    assert list(iter(parser.next, None)) == sent


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_every_way_to_write_the_length_is_understood(length):
    parser = frames.FrameParser()
    parser.feed(frames.encode(frames.Frame(frames.TEXT, b"x" * length), masked=True))
    assert parser.next() == frames.Frame(frames.TEXT, b"x" * length)


def test_a_fragment_is_refused():
    with pytest.raises(frames.FrameError, match="fragment"):
        frames.FrameParser().feed(b"\x01\x00")


def test_a_frame_that_is_too_large_is_refused_before_it_has_arrived():
    with pytest.raises(frames.FrameError, match="bytes"):
        frames.FrameParser().feed(b"\x81\x7f" + (1 << 40).to_bytes(8, "big"))


def test_the_handshake_of_the_standard():
    assert frames.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3


def test_a_close_frame_says_its_code_and_its_words():
    frame = frames.close(frames.GOING_AWAY, "last=7")
    assert (frame.close_code, frame.close_reason) == (1001, "last=7")
    assert frames.Frame(frames.CLOSE).close_code == 1005
