"""A PJSUA2 softphone as a process: one JSON argument, commands on stdin, events as JSON lines on stdout.

PJSIP keeps global state and its own threads, so it lives outside the test process. Events carry ``at``,
Unix time. Commands: ``call URI``, ``answer``, ``decline STATUS``, ``keys DIGITS``, ``hold``, ``unhold``,
``hangup``, ``unregister``, ``quit``.
"""

from __future__ import annotations

import json
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

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        tell("call", state=info.stateText, status=info.lastStatusCode)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.call = None
            self.phone.retired.append(self)

    def onCallMediaState(self, prm: Any) -> None:
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                sound = self.getAudioMedia(index)
                if self.phone.player is not None:
                    self.phone.player.startTransmit(sound)
                if self.phone.recorder is not None:
                    sound.startTransmit(self.phone.recorder)
        tell("media", status=[media.status for media in info.media])

    def onDtmfDigit(self, prm: Any) -> None:
        tell("digit", digit=prm.digit)


class Account(pj.Account):
    phone: Phone

    def onRegState(self, prm: Any) -> None:
        tell("registration", status=prm.code, active=self.getInfo().regIsActive)

    def onIncomingCall(self, prm: Any) -> None:
        phone = self.phone
        call = Call(phone, prm.callId)
        phone.call = call
        tell("incoming", remote=call.getInfo().remoteUri)
        ringing = pj.CallOpParam()
        ringing.statusCode = 180
        call.answer(ringing)
        if phone.settings.get("answer", 200) >= 200:
            phone.answer_at = time.monotonic() + phone.settings.get("answer_after", 0.3)


class Phone:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.call: Call | None = None
        self.retired: list[Call] = []
        self.answer_at = float("inf")
        self.player: Any = None
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
        for codec in self.endpoint.codecEnum2():
            first = settings.get("codec", "PCMU")
            name = codec.codecId.split("/")[0]
            priority = 255 if name == first else 200 if name in ("PCMU", "PCMA") else 0
            self.endpoint.codecSetPriority(codec.codecId, priority)
        if settings.get("play"):
            self.player = pj.AudioMediaPlayer()
            self.player.createPlayer(settings["play"])
        if settings.get("record"):
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(settings["record"])
        self.account = self._make_account()

    def _make_account(self) -> Account:
        settings = self.settings
        config = pj.AccountConfig()
        suffix = f";transport={settings.get('transport', 'udp')}"
        config.idUri = f"sip:{settings['user']}@{settings['server']}"
        config.mediaConfig.transportConfig.boundAddress = settings["host"]
        config.mediaConfig.transportConfig.publicAddress = settings["host"]
        config.natConfig.contactRewriteUse = 0
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
        while True:
            self.endpoint.libHandleEvents(10)
            if time.monotonic() >= self.answer_at:
                self.answer_at = float("inf")
                if self.call is not None:
                    self.command("answer", str(self.settings.get("answer", 200)))
            if select.select([sys.stdin], [], [], 0)[0]:
                line = sys.stdin.readline()
                if not line or line.strip() == "quit":
                    break
                try:
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
        elif self.call is None:
            tell("error", text=f"no call to {name}")
        elif name in ("answer", "decline"):
            operation = pj.CallOpParam()
            operation.statusCode = int(arguments[0]) if arguments else 200
            self.call.answer(operation)
        elif name == "keys":
            self.call.dialDtmf(arguments[0])
        elif name == "hold":
            self.call.setHold(pj.CallOpParam())
        elif name == "unhold":
            operation = pj.CallOpParam(True)  # without its defaults it would offer no audio at all
            operation.opt.flag = pj.PJSUA_CALL_UNHOLD
            self.call.reinvite(operation)
        elif name == "hangup":
            self.call.hangup(pj.CallOpParam())

    def close(self) -> None:
        if self.call is not None:
            self.call.hangup(pj.CallOpParam())
        for _ in range(20):
            self.endpoint.libHandleEvents(10)
        self.player = self.recorder = None  # closing the recorder completes its file
        self.retired.clear()
        self.account.shutdown()
        self.endpoint.libDestroy()
        tell("stopped")


if __name__ == "__main__":
    Phone(json.loads(sys.argv[1])).run()
