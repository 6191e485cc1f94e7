"use strict";

const outcome = (event) => ({
  status: event.response ? event.response.status_code : event.message ? event.message.status_code : 0,
  cause: event.cause || "",
});

class Phone extends Events {
  constructor({ url, user, domain, password, ...more }) {
    super();
    this.domain = domain;
    this.ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)],
      uri: `sip:${user}@${domain}`,
      password,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 1,
      ...more,
    });
    for (const name of ["connected", "disconnected", "registered", "unregistered", "registrationFailed"])
      this.ua.on(name, (event) => this.tell(name, { ...outcome(event), code: event.code }));
    this.ua.on("newMessage", ({ originator, request }) => {
      if (originator === "remote")
        this.tell("message", {
          text: request.body,
          sender: request.from.uri.user,
          type: request.getHeader("Content-Type"),
        });
    });
    this.ua.on("newRTCSession", ({ originator, session }) => this.watch(originator, session));
    this.ua.start();
  }

  watch(originator, session) {
    this.session = session;
    if (session.connection && this.sound) this.sound.listen(session.connection);
    session.on("icecandidate", (event) => this.trickle && event.ready());
    for (const name of ["progress", "accepted", "confirmed", "ended", "failed"])
      session.on(name, (event) => this.tell(name, { by: event.originator, ...outcome(event) }));
    if (originator === "remote") this.tell("incoming", { caller: session.remote_identity.uri.user });
  }

  // Send a MESSAGE or OPTIONS; what came of it.
  request(kind, to, text) {
    return new Promise((resolve) => {
      const eventHandlers = {
        succeeded: (event) => resolve(event.response.status_code),
        failed: (event) => resolve(event.response ? event.response.status_code : event.cause),
      };
      this.ua[kind === "OPTIONS" ? "sendOptions" : "sendMessage"](to, text, { eventHandlers });
    });
  }

  // Watch the lamp of a user: each NOTIFY is an event with the states in it.
  lamp(user) {
    const to = `sip:${user}@${this.domain}`;
    this.lamps = this.ua.subscribe(to, "dialog", "application/dialog-info+xml", { expires: 120 });
    this.lamps.on("notify", (final, request, body) => {
      const states = [...new DOMParser().parseFromString(body, "text/xml").querySelectorAll("state")];
      this.tell("lamp", { final, states: states.map((each) => each.textContent).join() });
    });
    this.lamps.on("terminated", (code, reason) => this.tell("lamp off", { code, reason: reason || "" }));
    this.lamps.subscribe();
  }

  call(to) {
    this.ua.call(to, { mediaConstraints: { audio: true, video: false } });
  }

  // Call, or answer, and say a tone. Addresses are given with the offer, or after it (`trickle`).
  talk(hertz, to = "", trickle = false) {
    this.sound = new Sound();
    const mediaStream = this.sound.tone(hertz);
    const options = { mediaStream, pcConfig: { iceServers: [] } };
    this.trickle = trickle;
    if (to) this.ua.call(to, options);
    else {
      this.session.once("peerconnection", ({ peerconnection }) => this.sound.listen(peerconnection));
      this.session.answer(options);
    }
  }
}

window.Phone = Phone;
window.ready = true;
