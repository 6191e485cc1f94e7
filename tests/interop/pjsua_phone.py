"""A PJSUA2 softphone as a process: one JSON argument, commands on stdin, events as JSON lines on stdout.

PJSIP keeps global state and its own threads, so it lives outside the test process. Events carry ``at``,
Unix time, and the number of their call, from 1. Commands: ``call URI``, ``message URI TEXT``, ``quit``,
``unregister``, and for the last call, or for call N as in ``2:hold``: ``answer [STATUS]``,
``decline STATUS``, ``keys DIGITS``, ``info DIGITS`` (keys by INFO), ``tones DIGITS`` (keys in the audio,
while its own sound pauses), ``hold``, ``unhold``, ``update``,
``transfer URI``, ``replace N`` (transfer to the party of call N), ``text TEXT`` (MESSAGE in the dialog),
``hangup``.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Any

import pjsua2 as pj


def tell(event: str, **values: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "at": time.time(), **values}) + "\n")
    sys.stdout.flush()


KINDS = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}


class Call(pj.Call):
    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone
        phone.calls.append(self)
        self.number = len(phone.calls)
        self.ended = False
        self.recorder: Any = None
        if phone.settings.get("tapes"):
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(f"{phone.settings['tapes']}-{self.number}.wav")

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        tell(
            "call", call=self.number, state=info.stateText, status=info.lastStatusCode, reason=info.lastReason
        )
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.ended = True
            self.recorder = None  # closing it completes its file
            if self.phone.call is self:
                self.phone.call = None

    def onCallMediaState(self, prm: Any) -> None:
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                sound = self.getAudioMedia(index)
                if self.phone.player is not None:
                    self.phone.player.startTransmit(sound)
                recorder = self.recorder or self.phone.recorder
                if recorder is not None:
                    sound.startTransmit(recorder)
        status = [media.status for media in info.media]
        tell("media", call=self.number, status=status, state=info.stateText, codecs=self._codecs(info))

    def _codecs(self, info: Any) -> list[str]:
        """Codec and clock rate of each stream that runs."""
        streams = [self.getStreamInfo(i) for i, media in enumerate(info.media) if media.status == 1]
        return [f"{stream.codecName}/{stream.codecClockRate}" for stream in streams]

    def tones(self, digits: str) -> None:
        """Play digits in the audio, and nothing else meanwhile."""
        sound = self.getAudioMedia(-1)
        if self.phone.player is not None:
            self.phone.player.stopTransmit(sound)
        generator = pj.ToneGenerator()
        generator.createToneGenerator()
        wanted = pj.ToneDigitVector()
        for digit in digits:
            each = pj.ToneDigit()
            each.digit, each.on_msec, each.off_msec, each.volume = digit, 120, 120, 6000
            wanted.append(each)
        generator.playDigits(wanted)
        generator.startTransmit(sound)
        self.phone.generator = generator

    def onDtmfDigit(self, prm: Any) -> None:
        tell("digit", call=self.number, digit=prm.digit, method=prm.method)

    def onCallTransferStatus(self, prm: Any) -> None:
        tell("transfer", call=self.number, status=prm.statusCode, last=prm.finalNotify)

    def onCallReplaced(self, prm: Any) -> None:
        tell("replaced", call=self.number)

    def onCallTransferRequest(self, prm: Any) -> None:
        tell("referred", call=self.number, uri=prm.dstUri)

    def onInstantMessage(self, prm: Any) -> None:
        tell("text", call=self.number, text=prm.msgBody, type=prm.contentType)

    def onInstantMessageStatus(self, prm: Any) -> None:
        tell("text status", call=self.number, status=prm.code)


class Account(pj.Account):
    phone: Phone

    def onRegState(self, prm: Any) -> None:
        tell("registration", status=prm.code, active=self.getInfo().regIsActive)

    def onInstantMessage(self, prm: Any) -> None:
        tell("message", text=prm.msgBody.strip(), type=prm.contentType, sender=prm.fromUri)

    def onInstantMessageStatus(self, prm: Any) -> None:
        tell("message status", status=prm.code)

    def onMwiInfo(self, prm: Any) -> None:
        tell("mwi", state=prm.state, text=prm.rdata.wholeMsg if prm.rdata else "")

    def onIncomingCall(self, prm: Any) -> None:
        phone = self.phone
        call = Call(phone, prm.callId)
        phone.call = call
        tell("incoming", call=call.number, remote=call.getInfo().remoteUri)
        ringing = pj.CallOpParam()
        ringing.statusCode = 180
        call.answer(ringing)
        if phone.settings.get("answer", 200) >= 200:
            phone.answer_at = time.monotonic() + phone.settings.get("answer_after", 0.3)


class Phone:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.call: Call | None = None
        self.calls: list[Call] = []
        self.buddies: dict[str, Any] = {}
        self.answer_at = float("inf")
        self.player: Any = None
        self.generator: Any = None
        """Plays keys in the audio."""
        self.recorder: Any = None
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.logConfig.level = 4 if settings.get("log") else 0
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = settings.get("log", "")
        config.uaConfig.threadCnt = 0  # callbacks run in this thread, from libHandleEvents
        config.uaConfig.mainThreadOnly = True
        config.medConfig.ecTailLen = 0
        config.medConfig.noVad = True
        self.endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.boundAddress = settings["host"]
        transport.publicAddress = settings["host"]
        transport.port = settings.get("port", 0)
        if settings.get("authorities"):
            transport.tlsConfig.CaListFile = settings["authorities"]
            transport.tlsConfig.verifyServer = True
        self.endpoint.transportCreate(KINDS[settings.get("transport", "udp")], transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self._choose_codecs(settings.get("codec", "PCMU"))
        if settings.get("play"):
            self.player = pj.AudioMediaPlayer()
            self.player.createPlayer(settings["play"])
        if settings.get("record"):
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(settings["record"])
        self.account = self._make_account()

    def _choose_codecs(self, first: str) -> None:
        """The codec `first`, and G.711 besides unless the settings say ``only``."""
        others = () if self.settings.get("only") else ("PCMU", "PCMA")
        for codec in self.endpoint.codecEnum2():
            name = codec.codecId.split("/")[0]
            priority = 255 if name == first else 200 if name in others else 0
            self.endpoint.codecSetPriority(codec.codecId, priority)
            if priority and self.settings.get("ptime"):
                parameters = self.endpoint.codecGetParam(codec.codecId)
                parameters.setting.frmPerPkt = self.settings["ptime"] // parameters.info.frameLen
                self.endpoint.codecSetParam(codec.codecId, parameters)

    def _make_account(self) -> Account:
        settings = self.settings
        config = pj.AccountConfig()
        suffix = f";transport={settings.get('transport', 'udp')}"
        config.idUri = f"sip:{settings['user']}@{settings['server']}"
        config.mediaConfig.transportConfig.boundAddress = settings["host"]
        config.mediaConfig.transportConfig.publicAddress = settings["host"]
        config.natConfig.contactRewriteUse = 0
        config.callConfig.prackUse = getattr(pj, f"PJSUA_100REL_{settings.get('prack', 'not_used').upper()}")
        config.mediaConfig.srtpUse = getattr(pj, f"PJMEDIA_SRTP_{settings.get('srtp', 'disabled').upper()}")
        config.mediaConfig.srtpSecureSignaling = 0  # the tests say themselves what is secure
        config.mwiConfig.enabled = settings.get("mwi", False)
        if settings.get("password"):
            credentials = pj.AuthCredInfo("digest", "*", settings["user"], 0, settings["password"])
            config.sipConfig.authCreds.append(credentials)
        if settings.get("register", True):
            config.regConfig.registrarUri = f"sip:{settings['server']}{suffix}"
            config.regConfig.timeoutSec = settings.get("expires", 300)
        account = Account()
        account.phone = self
        account.create(config)
        return account

    def run(self) -> None:
        tell("started")
        lines: list[str] = []
        while True:
            self.endpoint.libHandleEvents(10)
            if time.monotonic() >= self.answer_at:
                self.answer_at = float("inf")
                if self.call is not None:
                    self.command("answer", str(self.settings.get("answer", 200)))
            if self.generator is not None and not self.generator.isBusy():
                self.generator = None
                tell("tones over")
                if self.player is not None and self.call is not None:
                    self.player.startTransmit(self.call.getAudioMedia(-1))
            if not lines and select.select([sys.stdin], [], [], 0)[0]:
                lines = os.read(sys.stdin.fileno(), 65536).decode().splitlines() or ["quit"]
            if lines:
                line = lines.pop(0)
                if line.strip() == "quit":
                    break
                try:
                    which, colon, rest = line.partition(":")
                    if colon and which.isdigit():
                        self.call, line = self.calls[int(which) - 1], rest
                    self.command(*line.split())
                except pj.Error as error:
                    tell("error", text=error.info())
        self.close()

    def command(self, name: str, *arguments: str) -> None:
        if name == "call":
            call = Call(self)
            self.call = call
            call.makeCall(arguments[0], pj.CallOpParam(True))
        elif name == "unregister":
            self.account.setRegistration(False)
        elif name == "message":
            self.message(arguments[0], " ".join(arguments[1:]))
        elif self.call is None:
            tell("error", text=f"no call to {name}")
        elif name in ("answer", "decline"):
            operation = pj.CallOpParam()
            operation.statusCode = int(arguments[0]) if arguments else 200
            self.call.answer(operation)
        elif name == "keys":
            self.call.dialDtmf(arguments[0])
        elif name == "tones":
            self.call.tones(arguments[0])
        elif name == "hold":
            self.call.setHold(pj.CallOpParam())
        elif name == "unhold":
            operation = pj.CallOpParam(True)  # without its defaults it would offer no audio at all
            operation.opt.flag = pj.PJSUA_CALL_UNHOLD
            self.call.reinvite(operation)
        elif name == "update":
            self.call.update(pj.CallOpParam(True))
        elif name == "info":
            keys = pj.CallSendDtmfParam()
            keys.digits, keys.method = arguments[0], pj.PJSUA_DTMF_METHOD_SIP_INFO
            self.call.sendDtmf(keys)
        elif name == "transfer":
            self.call.xfer(arguments[0], pj.CallOpParam())
        elif name == "replace":
            self.call.xferReplaces(self.calls[int(arguments[0]) - 1], pj.CallOpParam())
        elif name == "text":
            text = pj.SendInstantMessageParam()
            text.content, text.contentType = " ".join(arguments), "text/plain"
            self.call.sendInstantMessage(text)
        elif name == "hangup":
            self.call.hangup(pj.CallOpParam())

    def message(self, uri: str, content: str) -> None:
        buddy = self.buddies.get(uri)
        if buddy is None:
            config = pj.BuddyConfig()
            config.uri, config.subscribe = uri, False
            buddy = self.buddies[uri] = pj.Buddy()
            buddy.create(self.account, config)
        text = pj.SendInstantMessageParam()
        text.content, text.contentType = content, "text/plain"
        buddy.sendInstantMessage(text)

    def close(self) -> None:
        for call in self.calls:
            if not call.ended:
                call.hangup(pj.CallOpParam())
        for _ in range(20):
            self.endpoint.libHandleEvents(10)
        self.player = self.recorder = self.generator = None  # closing the recorder completes its file
        self.calls.clear()
        self.buddies.clear()
        self.account.shutdown()
        self.endpoint.libDestroy()
        tell("stopped")


if __name__ == "__main__":
    Phone(json.loads(sys.argv[1])).run()
