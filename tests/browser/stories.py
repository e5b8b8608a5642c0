"""The stories of example_workflows/: which nodes, what they say, what is linked. Data for examples.py."""

from __future__ import annotations

from typing import Any, NamedTuple

THREE = range(3)
SHOTS = ("A lighthouse at dawn, wide", "Gulls over the cliffs, from below", "The keeper's lamp goes out")
MANY = ("A red balloon over a city", "Rain on a window at night", "Waves in slow motion")
FOX = "A fox runs through fresh snow"


class Node(NamedTuple):
    """A node of a story: where it stands, how large it is, what its widgets say."""

    type: str
    at: tuple[int, int]
    size: tuple[int, int]
    widgets: dict[str, Any] = {}  # noqa: RUF012 - never changed
    title: str = ""
    mode: int = 0


class Story(NamedTuple):
    nodes: dict[str, Node]
    links: list[tuple[str, str, str, str]]  # from, its output, to, its input


def note(text: str, at: tuple[int, int] = (0, 0), size: tuple[int, int] = (380, 400)) -> Node:
    return Node("MarkdownNote", at, size, {"": text})


def create(at: tuple[int, int], prompt: str, title: str = "", **widgets: Any) -> Node:
    values = {"prompt": prompt, "provider": "sandbox"} | widgets
    return Node("CreateSoraJob", at, (380, 420), values, title)


def wait(at: tuple[int, int], title: str = "", *, mode: int = 0) -> Node:
    return Node("WaitForVideo", at, (380, 420), {}, title, mode)


def stories() -> dict[str, Story]:
    """Name of the file -> story. All of them run as they are, free, on the sandbox."""
    return {
        "text_to_video": Story(
            {
                "note": note(
                    "# From a prompt to frames\n\nPress **Run**. It works as it is, without a key: the provider is "
                    "`sandbox`, a gateway on this machine that costs nothing.\n\nFor real videos set a key (tab *Sora "
                    "jobs*, gear) and choose the provider `cometapi`.\n\nRunning it again buys nothing: the job is "
                    "found again. A new **take** is a new purchase."
                ),
                "job": create((420, 0), "A paper boat drifts over a calm lake at sunset, slow camera"),
                "video": wait((840, 0)),
                "frames": Node("LoadVideoFrames", (1260, 0), (320, 320)),
                "last": Node("PreviewImage", (1620, 0), (400, 300), title="The last frame"),
                "sound": Node("PreviewAudio", (1620, 360), (400, 90), title="The sound"),
            },
            [
                ("job", "job", "video", "job"), ("video", "video", "frames", "video"),
                ("frames", "last_frame", "last", "images"), ("frames", "audio", "sound", "audio"),
            ],
        ),
        "image_to_video": Story(
            {
                "note": note(
                    "# From an image to a video\n\nPut the end of any image workflow (*VAE Decode*, say) in place of "
                    "*Load Image*.\n\n**Fit Sora Reference** shows what will be sent before anything is paid: move "
                    "the focus point, pad instead of crop. Its output is exactly the video's size.\n\n*Create Sora "
                    "Job* can do the simple cases by itself: `fit`."
                ),
                "image": Node("LoadImage", (420, 0), (340, 380), {"image": "example.png"}),
                "fit": Node("SoraFitReference", (800, 0), (340, 520), {"fit": "pad", "padding": "blurred"}),
                "job": create((1180, 0), "The camera moves slowly towards it, dust in the light"),
                "video": wait((1600, 0)),
            },
            [
                ("image", "IMAGE", "fit", "image"), ("fit", "image", "job", "reference"),
                ("job", "job", "video", "job"),
            ],
        ),
        "remix": Story(
            {
                "note": note(
                    "# A remix\n\n**Remix** starts from a finished video, which it gets from *Wait For Video*, and "
                    "changes what its prompt says. It is a purchase of its own; run again, it is found again.\n\nNot "
                    "every model can be remixed: the error says so before anything is sent."
                ),
                "job": create((420, 0), "A winter morning at a lake, snow on the hills"),
                "video": wait((840, 0)),
                "remix": Node("Remix", (1260, 0), (360, 240), {"prompt": "The same lake under the northern lights"}),
                "remixed": wait((1660, 0), "Wait For The Remix"),
            },
            [("job", "job", "video", "job"), ("video", "job", "remix", "job"), ("remix", "job", "remixed", "job")],
        ),
        "continue_a_shot": Story(
            {
                "note": note(
                    "# Continue a shot from its last frame\n\n`skip_first_frames` = -1 is the last frame alone: it is "
                    "sought, not decoded up to. It becomes the first frame of the next shot.\n\nAt the end both are "
                    "one film; the second one leaves out its first frame, which both have.\n\nThe frames are 360 high "
                    "here, which saves memory: `custom_height` = 0 keeps their size."
                ),
                "job": create((420, 0), "A sailing boat leaves the harbour", "First shot"),
                "video": wait((840, 0)),
                "last": Node("LoadVideoFrames", (1260, 0), (320, 320), {"skip_first_frames": -1}, "Its last frame"),
                "next": create((1620, 0), "It reaches the open sea, the wind freshens", "Second shot, from that frame"),
                "second": wait((2040, 0)),
                "a": Node("LoadVideoFrames", (1260, 500), (320, 320), {"custom_height": 360}, "All of the first"),
                "b": Node(
                    "LoadVideoFrames", (1620, 500), (320, 320), {"custom_height": 360, "skip_first_frames": 1},
                    "The second, without its first frame",
                ),
                "both": Node("ImageBatch", (2040, 500), (240, 60), title="One after the other"),
                "sound": Node("AudioConcat", (2040, 620), (240, 80), title="Its sound"),
                "film": Node("CreateVideo", (2040, 760), (240, 100)),
                "save": Node("SaveVideo", (2320, 500), (360, 360), {"filename_prefix": "video/continued"}),
            },
            [
                ("job", "job", "video", "job"), ("video", "video", "last", "video"),
                ("last", "last_frame", "next", "reference"), ("next", "job", "second", "job"),
                ("video", "video", "a", "video"), ("second", "video", "b", "video"),
                ("a", "frames", "both", "image1"), ("b", "frames", "both", "image2"),
                ("a", "audio", "sound", "audio1"), ("b", "audio", "sound", "audio2"),
                ("both", "IMAGE", "film", "images"), ("sound", "AUDIO", "film", "audio"), ("a", "fps", "film", "fps"),
                ("film", "VIDEO", "save", "video"),
            ],
        ),
        "storyboard": Story(
            {
                "note": note(
                    "# A storyboard in one graph\n\nThree shots are bought in one go and render **at the same time**; "
                    "the graph goes on when the last one is there.\n\nChange one prompt and run again: only that shot "
                    "is bought, the others are found.\n\nThe frames are 360 high here, which saves memory: "
                    "`custom_height` = 0 keeps their size."
                ),
                **{
                    f"job{number}": create((420 + 400 * number, 0), prompt, f"Shot {number + 1}")
                    for number, prompt in enumerate(SHOTS)
                },
                **{f"video{number}": wait((420 + 400 * number, 480)) for number in THREE},
                **{
                    f"frames{number}": Node(
                        "LoadVideoFrames", (420 + 400 * number, 960), (380, 320), {"custom_height": 360}
                    )
                    for number in THREE
                },
                "two": Node("ImageBatch", (1660, 960), (240, 60), title="One after the other"),
                "all": Node("ImageBatch", (1660, 1080), (240, 60), title="One after the other"),
                "sound2": Node("AudioConcat", (1940, 960), (240, 80), title="Their sound"),
                "sound": Node("AudioConcat", (1940, 1100), (240, 80), title="Their sound"),
                "film": Node("CreateVideo", (1940, 1240), (240, 100)),
                "save": Node("SaveVideo", (1660, 480), (400, 400), {"filename_prefix": "video/storyboard"}),
            },
            [
                *[(f"job{number}", "job", f"video{number}", "job") for number in THREE],
                *[(f"video{number}", "video", f"frames{number}", "video") for number in THREE],
                ("frames0", "frames", "two", "image1"), ("frames1", "frames", "two", "image2"),
                ("two", "IMAGE", "all", "image1"), ("frames2", "frames", "all", "image2"),
                ("frames0", "audio", "sound2", "audio1"), ("frames1", "audio", "sound2", "audio2"),
                ("sound2", "AUDIO", "sound", "audio1"), ("frames2", "audio", "sound", "audio2"),
                ("all", "IMAGE", "film", "images"), ("sound", "AUDIO", "film", "audio"),
                ("frames0", "fps", "film", "fps"), ("film", "VIDEO", "save", "video"),
            ],
        ),
        "batch_of_takes": Story(
            {
                "note": note(
                    "# Several takes of one prompt\n\nThe wire has no seed. A **take** is how you ask for the same "
                    "once more, and each is a purchase of its own – three here, on the free sandbox.\n\n*Sora "
                    "Thumbnail* shows them without decoding the films."
                ),
                **{
                    f"job{take}": create((420 + 400 * take, 0), FOX, f"Take {take + 1}", take=take + 1)
                    for take in THREE
                },
                **{f"video{take}": wait((420 + 400 * take, 480)) for take in THREE},
                **{f"still{take}": Node("SoraThumbnail", (420 + 400 * take, 960), (380, 300)) for take in THREE},
                "two": Node("ImageBatch", (1640, 960), (240, 60), title="One after the other"),
                "all": Node("ImageBatch", (1640, 1070), (240, 60), title="One after the other"),
                "look": Node("PreviewImage", (1640, 480), (420, 420), title="All three"),
            },
            [
                *[(f"job{take}", "job", f"video{take}", "job") for take in THREE],
                *[(f"video{take}", "job", f"still{take}", "job") for take in THREE],
                ("still0", "image", "two", "image1"), ("still1", "image", "two", "image2"),
                ("two", "IMAGE", "all", "image1"), ("still2", "image", "all", "image2"),
                ("all", "IMAGE", "look", "images"),
            ],
        ),
        "submit_now_collect_later": Story(
            {
                "note": note(
                    "# Submit many now, collect later\n\n*Submit Sora Job* ends the graph as soon as the jobs are "
                    "bought. Close ComfyUI if you like: they render on, and are fetched in the background when it runs "
                    "again.\n\nTo collect: select the three muted *Wait For Video*, press **Ctrl+M**, and run again. "
                    "Nothing is bought twice."
                ),
                **{
                    f"job{number}": create((420 + 400 * number, 0), prompt)
                    for number, prompt in enumerate(MANY)
                },
                **{f"only{number}": Node("SoraSubmitOnly", (420 + 400 * number, 480), (380, 60)) for number in THREE},
                **{f"video{number}": wait((420 + 400 * number, 660), mode=2) for number in THREE},
            },
            [
                *[(f"job{number}", "job", f"only{number}", "job") for number in THREE],
                *[(f"job{number}", "job", f"video{number}", "job") for number in THREE],
            ],
        ),
        "recover_a_video": Story(
            {
                "note": note(
                    "# Recover a video\n\n*Open Sora Job* takes up any job of this machine, newest first, or one from "
                    "elsewhere by its id (`video_id` and `provider`). Nothing is bought. (No job yet? Run another "
                    "template first.)\n\nThe tab **Sora jobs** has "
                    "the same for every job: *Add to graph*. Drop an MP4 there to find the job it came from."
                ),
                "job": Node("SoraOpenJob", (420, 0), (420, 140)),
                "video": wait((880, 0)),
                "frames": Node("LoadVideoFrames", (1300, 0), (320, 320), {"frame_load_cap": 1}),
                "first": Node("PreviewImage", (1660, 0), (400, 300), title="Its first frame"),
            },
            [
                ("job", "job", "video", "job"), ("video", "video", "frames", "video"),
                ("frames", "frames", "first", "images"),
            ],
        ),
    }  # fmt: skip
