import { Inviter, Messager, Registerer, Subscriber, UserAgent, Web } from "/sip.js/lib/index.js";

const outcome = (resolve) => ({
  onAccept: (response) => resolve(response.message.statusCode),
  onReject: (response) => resolve(response.message.statusCode),
});

class Phone extends Events {
  constructor({ url, user, domain, password }) {
    super();
    this.domain = domain;
    this.agent = new UserAgent({
      uri: UserAgent.makeURI(`sip:${user}@${domain}`),
      transportOptions: { server: url },
      authorizationUsername: user,
      authorizationPassword: password,
      logLevel: "error",
      sessionDescriptionHandlerFactory: Web.defaultSessionDescriptionHandlerFactory(() =>
        Promise.resolve(this.sound.tone(this.hertz)),
      ),
      sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
      delegate: {
        onConnect: () => this.tell("connected"),
        onDisconnect: () => this.tell("disconnected"),
        onMessage: (message) => {
          const request = message.request;
          this.tell("message", { text: request.body, sender: request.from.uri.user });
          message.accept();
        },
        onInvite: (invitation) => this.tell("incoming", { caller: invitation.request.from.uri.user }),
      },
    });
    this.registerer = new Registerer(this.agent);
    this.registerer.stateChange.addListener((state) => this.tell(state));
  }

  // Register; the status of the answer.
  async register() {
    await this.agent.start();
    return new Promise((resolve) => this.registerer.register({ requestDelegate: outcome(resolve) }));
  }

  unregister() {
    return new Promise((resolve) => this.registerer.unregister({ requestDelegate: outcome(resolve) }));
  }

  message(to, text) {
    return new Promise((resolve) =>
      new Messager(this.agent, UserAgent.makeURI(to), text).message({ requestDelegate: outcome(resolve) }),
    );
  }

  // Call, and say a tone; the status of the final answer.
  call(hertz, to) {
    this.sound = new Sound();
    this.hertz = hertz;
    this.session = new Inviter(this.agent, UserAgent.makeURI(to));
    this.session.delegate = {
      onSessionDescriptionHandler: (handler) => this.sound.listen(handler.peerConnection),
    };
    return new Promise((resolve) => this.session.invite({ requestDelegate: outcome(resolve) }));
  }

  bye() {
    return new Promise((resolve) => this.session.bye({ requestDelegate: outcome(resolve) }));
  }

  lamp(user) {
    const to = UserAgent.makeURI(`sip:${user}@${this.domain}`);
    this.lamps = new Subscriber(this.agent, to, "dialog", {
      delegate: {
        onNotify: (notification) => {
          const xml = new DOMParser().parseFromString(notification.request.body, "text/xml");
          const states = [...xml.querySelectorAll("state")].map((each) => each.textContent);
          this.tell("lamp", { states: states.join() });
          notification.accept();
        },
      },
    });
    this.lamps.stateChange.addListener((state) => this.tell(`lamp ${state}`));
    return this.lamps.subscribe();
  }
}

window.Phone = Phone;
window.ready = true;
