"""Makes the built-in sounds of sipcc: ``python tools/make_sounds.py``.

Speech comes from espeak-ng, cut to telephone band and trimmed by sox; the beep and the hold music are
computed here. Everything is 8 kHz mono mu-law WAV, about what a G.711 leg carries anyway. The run is
repeatable: no dither, no random numbers.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import wave
from array import array
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from sipcc.ivr.say import en, zh  # noqa: E402 - the tree this tool stands in, not an installed copy

SOUNDS = ROOT / "src" / "sipcc" / "ivr" / "sounds"
RATE_HZ = 8000

VOICES = {"en": ("en-us", 170), "zh": ("cmn-latn-pinyin", 190)}
"""espeak-ng voice and words a minute, per language.

Chinese goes in as pinyin, so that each syllable has the tone that is meant: that voice reads characters too,
but one by one.
"""

PROMPTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "welcome": "Welcome. For sales, press 1. For support, press 2. To speak to an agent, press 0.",
        "please_wait": "Please wait while we connect you.",
        "all_busy": "All our agents are busy. Thank you for waiting.",
        "no_agents": "Sorry, nobody can take your call at the moment. Please call again later.",
        "agent_lost": "Sorry, the connection was lost. Please hold, we connect you with another agent.",
        "challenge": "Please press 1.",
        "callback_booked": "We will call you back.",
        "queue_position": "Your position in the queue is",
        "queue_wait": "The expected waiting time is about",
        "queue_next": "You are the next caller in the queue.",
        "closed": "You are calling outside our hours of service.",
        "record_notice": "This call may be recorded.",
        "enter_number": "Please enter the number, followed by the hash key.",
        "confirm": "If this is right, press 1. To try again, press 2.",
        "choose_language": "For English, press 1.",
        "invalid": "Sorry, that is not a valid choice.",
        "noinput": "Sorry, we did not hear a choice.",
        "error": "Sorry, something went wrong.",
        "thank_you": "Thank you.",
        "goodbye": "Thank you for calling. Goodbye.",
        "voicemail_greeting": (
            "Please leave a message after the tone, and press the hash key when you are done."
        ),
        "voicemail_saved": "Your message was saved.",
        "voicemail_not_saved": "No message was saved.",
        "voicemail_full": "This mailbox is full. Please call again later.",
        "voicemail_pin": "Please enter your PIN, followed by the hash key.",
        "voicemail_none": "There are no messages.",
        "voicemail_new": "New messages:",
        "voicemail_from": "Message from",
        "voicemail_menu": (
            "To hear it again, press 1. To delete it, press 2. For the next "
            "message, press 3. To end, press star."
        ),
        "voicemail_deleted": "The message was deleted.",
        "voicemail_end": "There are no more messages.",
        "survey_question": (
            "How content were you with our service? Press a key from 1, not at all, to 5, very much."
        ),
        "survey_comment": "Please tell us why, after the tone.",
        "queue_length": "The number of callers who are waiting is",
        "ringback": "Thank you for calling. Please wait, we will be with you in a moment.",
        "bank_card": (
            "Welcome to the bank. Please enter the sixteen digits of your card, or press star for an agent."
        ),
        "bank_unknown": "We do not know this card.",
        "bank_balance": "Your balance is",
        "bank_agent": "An agent will be with you in a moment.",
    },
    "zh": {
        # 您好，欢迎致电。销售咨询请按一，技术支持请按二，人工服务请按零。
        "welcome": (
            "nin2 hao3, huan1 ying2 zhi4 dian4. xiao1 shou4 zi1 xun2 qing3 an4 yi1, "
            "ji4 shu4 zhi1 chi2 qing3 an4 er4, ren2 gong1 fu2 wu4 qing3 an4 ling2."
        ),
        # 正在为您转接，请稍候。
        "please_wait": "zheng4 zai4 wei4 nin2 zhuan3 jie1, qing3 shao1 hou4.",
        # 坐席全忙，感谢您的耐心等待。
        "all_busy": "zuo4 xi2 quan2 mang2, gan3 xie4 nin2 de5 nai4 xin1 deng3 dai4.",
        # 很抱歉，暂时无人接听，请稍后再拨。
        "no_agents": "hen3 bao4 qian4, zan4 shi2 wu2 ren2 jie1 ting1, qing3 shao1 hou4 zai4 bo1.",
        # 很抱歉，通话中断，请不要挂机，正在为您转接其他坐席。
        "agent_lost": (
            "hen3 bao4 qian4, tong1 hua4 zhong1 duan4, qing3 bu2 yao4 gua4 ji1, "
            "zheng4 zai4 wei4 nin2 zhuan3 jie1 qi2 ta1 zuo4 xi2."
        ),
        # 请按一。
        "challenge": "qing3 an4 yi1.",
        # 我们会给您回电。
        "callback_booked": "wo3 men5 hui4 gei3 nin2 hui2 dian4.",
        # 您的排队位置是第
        "queue_position": "nin2 de5 pai2 dui4 wei4 zhi4 shi4 di4",
        # 预计等待时间约
        "queue_wait": "yu4 ji4 deng3 dai4 shi2 jian1 yue1",
        # 您是下一位。
        "queue_next": "nin2 shi4 xia4 yi2 wei4.",
        # 现在是非工作时间。
        "closed": "xian4 zai4 shi4 fei1 gong1 zuo4 shi2 jian1.",
        # 您的通话可能会被录音。
        "record_notice": "nin2 de5 tong1 hua4 ke3 neng2 hui4 bei4 lu4 yin1.",
        # 请输入号码，按井号键结束。
        "enter_number": "qing3 shu1 ru4 hao4 ma3, an4 jing3 hao4 jian4 jie2 shu4.",
        # 如果正确，请按一；重新输入，请按二。
        "confirm": "ru2 guo3 zheng4 que4, qing3 an4 yi1, chong2 xin1 shu1 ru4, qing3 an4 er4.",
        # 中文服务请按二。
        "choose_language": "zhong1 wen2 fu2 wu4, qing3 an4 er4.",
        # 抱歉，您的选择有误。
        "invalid": "bao4 qian4, nin2 de5 xuan3 ze2 you3 wu4.",
        # 抱歉，没有收到您的选择。
        "noinput": "bao4 qian4, mei2 you3 shou1 dao4 nin2 de5 xuan3 ze2.",
        # 很抱歉，系统出现问题。
        "error": "hen3 bao4 qian4, xi4 tong3 chu1 xian4 wen4 ti2.",
        # 谢谢。
        "thank_you": "xie4 xie5.",
        # 感谢您的来电，再见。
        "goodbye": "gan3 xie4 nin2 de5 lai2 dian4, zai4 jian4.",
        # 请在提示音后留言，结束请按井号键。
        "voicemail_greeting": (
            "qing3 zai4 ti2 shi4 yin1 hou4 liu2 yan2, jie2 shu4 qing3 an4 jing3 hao4 jian4."
        ),
        # 您的留言已保存。
        "voicemail_saved": "nin2 de5 liu2 yan2 yi3 bao3 cun2.",
        # 没有保存留言。
        "voicemail_not_saved": "mei2 you3 bao3 cun2 liu2 yan2.",
        # 信箱已满，请稍后再拨。
        "voicemail_full": "xin4 xiang1 yi3 man3, qing3 shao1 hou4 zai4 bo1.",
        # 请输入密码，按井号键结束。
        "voicemail_pin": "qing3 shu1 ru4 mi4 ma3, an4 jing3 hao4 jian4 jie2 shu4.",
        # 没有留言。
        "voicemail_none": "mei2 you3 liu2 yan2.",
        # 新留言。
        "voicemail_new": "xin1 liu2 yan2.",
        # 留言来自
        "voicemail_from": "liu2 yan2 lai2 zi4",
        # 重听请按一，删除请按二，下一条请按三，结束请按星号键。
        "voicemail_menu": (
            "chong2 ting1 qing3 an4 yi1, shan1 chu2 qing3 an4 er4, "
            "xia4 yi1 tiao2 qing3 an4 san1, jie2 shu4 qing3 an4 xing1 hao4 jian4."
        ),
        # 留言已删除。
        "voicemail_deleted": "liu2 yan2 yi3 shan1 chu2.",
        # 没有更多留言了。
        "voicemail_end": "mei2 you3 geng4 duo1 liu2 yan2 le5.",
        # 请您评价本次服务，非常满意请按五，很不满意请按一。
        "survey_question": (
            "qing3 nin2 ping2 jia4 ben3 ci4 fu2 wu4, fei1 chang2 man3 yi4 qing3 an4 wu3, "
            "hen3 bu4 man3 yi4 qing3 an4 yi1."
        ),
        # 请在提示音后说出您的意见。
        "survey_comment": "qing3 zai4 ti2 shi4 yin1 hou4 shuo1 chu1 nin2 de5 yi4 jian4.",
        # 现在排队等候的人数是
        "queue_length": "xian4 zai4 pai2 dui4 deng3 hou4 de5 ren2 shu4 shi4",
        # 感谢您的来电，请稍候，马上为您接通。
        "ringback": "gan3 xie4 nin2 de5 lai2 dian4, qing3 shao1 hou4, ma3 shang4 wei4 nin2 jie1 tong1.",
        # 欢迎致电本行，请输入十六位卡号，人工服务请按星号键。
        "bank_card": (
            "huan1 ying2 zhi4 dian4 ben3 hang2, qing3 shu1 ru4 shi2 liu4 wei4 ka3 hao4, "
            "ren2 gong1 fu2 wu4 qing3 an4 xing1 hao4 jian4."
        ),
        # 没有找到您的卡号。
        "bank_unknown": "mei2 you3 zhao3 dao4 nin2 de5 ka3 hao4.",
        # 您的账户余额是
        "bank_balance": "nin2 de5 zhang4 hu4 yu2 e2 shi4",
        # 马上为您转接人工坐席。
        "bank_agent": "ma3 shang4 wei4 nin2 zhuan3 jie1 ren2 gong1 zuo4 xi2.",
    },
}

_CHARACTERS = "零一二三四五六七八九十百千万亿两幺点负分之第年月日凌晨上午中下晚小时钟秒元角美星井加"
_SYLLABLES = (
    "ling2 yi1 er4 san1 si4 wu3 liu4 qi1 ba1 jiu3 shi2 bai3 qian1 wan4 yi4 liang3 yao1 dian3 fu4 fen1 zhi1 "
    "di4 nian2 yue4 ri4 ling2 chen2 shang4 wu3 zhong1 xia4 wan3 xiao3 shi2 zhong1 miao3 yuan2 jiao3 mei3 "
    "xing1 jing3 jia1"
)
PINYIN = dict(zip(_CHARACTERS, _SYLLABLES.split(), strict=True))
"""How the characters of the Chinese fragments sound."""

_ENGLISH = {
    "am": "A.M.",
    "pm": "P.M.",
    "fen": "fen",
    "hash": "hash",
    "yuan": "yoo ann",
    **{f"{n}{suffix}": f"{n}{suffix}" for n, suffix in ((1, "st"), (2, "nd"), (3, "rd"))},
}


def english_text(name: str) -> str:
    """What is spoken for an English fragment; the names are the words but for a few."""
    return _ENGLISH.get(name, name)


def chinese_text(name: str) -> str:
    """What is spoken for a Chinese fragment, in pinyin."""
    return " ".join(PINYIN[character] for character in zh.TEXTS[name])


def speak(text: str, language: str, target: Path) -> None:
    """Speak `text` into `target`, trimmed, in telephone band, at a common level."""
    voice, speed = VOICES[language]
    spoken = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", text], check=True, capture_output=True
    ).stdout
    trim = ["silence", "1", "0.005", "0.5%", "reverse"]
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *("sox", "-D", "-t", "wav", "-", "-r", str(RATE_HZ), "-c", "1", "-e", "mu-law", str(target)),
            *("gain", "-6", "highpass", "200", "lowpass", "3400", "norm", "-4", *trim, *trim),
            *("pad", "0.01", "0.05"),
        ],
        input=spoken,
        check=True,
    )


def write_mulaw(samples: list[float], target: Path) -> None:
    """Write samples of -1..1 as mu-law WAV."""
    raw = target.with_suffix(".pcm.wav")
    with wave.open(str(raw), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(array("h", [round(sample * 32767) for sample in samples]).tobytes())
    subprocess.run(["sox", "-D", str(raw), "-e", "mu-law", str(target)], check=True)
    raw.unlink()


def beep() -> list[float]:
    """1 kHz for 300 ms at about -13 dBm0, with soft edges."""
    count = RATE_HZ * 300 // 1000
    edge = RATE_HZ // 100
    return [
        0.2 * min(1.0, i / edge, (count - i) / edge) * math.sin(2 * math.pi * 1000 * i / RATE_HZ)
        for i in range(count)
    ]


# The melody is this project's own: an arch in D major pentatonic over a slow walking bass.
# (beat, length in beats, semitones above A4 = 440 Hz), 4 beats a bar, 8 bars of 2.5 s.
_MELODY = (
    "0 2 5, 2 1 9, 3 1 7, 4 3 5, 7 1 2, 8 2 0, 10 1 2, 11 1 5, 12 4 2, "
    "16 2 5, 18 1 9, 19 1 12, 20 3 9, 23 1 7, 24 2 5, 26 1 2, 27 1 0, 28 4 -7"
)
_BASS = (
    "0 4 -19, 2 2 -12, 4 4 -14, 6 2 -10, 8 4 -16, 10 2 -12, 12 4 -12, 14 2 -7, "
    "16 4 -19, 18 2 -12, 20 4 -22, 22 2 -14, 24 4 -17, 26 2 -10, 28 4 -19, 30 2 -12"
)
_BEATS = 32
_BEAT_S = 0.625


def hold_music() -> list[float]:
    """20 s that end where they begin: tails of notes wrap around, so that the loop has no seam."""
    total = round(_BEATS * _BEAT_S * RATE_HZ)
    samples = [0.0] * total
    for part, gain in ((_MELODY, 0.16), (_BASS, 0.12)):
        for note in part.split(","):
            beat, length, semitones = (float(field) for field in note.split())
            hz = 440.0 * 2 ** (semitones / 12)
            start = round(beat * _BEAT_S * RATE_HZ)
            for i in range(round((length * _BEAT_S + 1.2) * RATE_HZ)):
                at = i / RATE_HZ
                shape = min(1.0, at / 0.03) * math.exp(-1.8 * at)
                phase = 2 * math.pi * hz * at
                tone = math.sin(phase) + 0.3 * math.sin(2 * phase) + 0.08 * math.sin(3 * phase)
                samples[(start + i) % total] += gain * shape * tone
    return samples


def main() -> None:
    """Make everything anew."""
    for language, prompts in PROMPTS.items():
        shutil.rmtree(SOUNDS / language, ignore_errors=True)
        texts = dict(prompts)
        for name in sorted(en.FRAGMENTS if language == "en" else zh.FRAGMENTS):
            word = name.removeprefix("say/")
            texts[name] = chinese_text(word) if language == "zh" else english_text(word)
        for name, text in texts.items():
            speak(text, language, SOUNDS / language / f"{name}.wav")
    write_mulaw(beep(), SOUNDS / "beep.wav")
    write_mulaw(hold_music(), SOUNDS / "hold.wav")


if __name__ == "__main__":
    main()
