"use strict";

// What a phone has told, in order; `next` waits for one event, and takes it out.
class Events {
  constructor() {
    this.told = [];
    this.waiting = [];
  }

  tell(name, values = {}) {
    this.told.push({ name, ...values });
    this.waiting.forEach((look) => look());
  }

  next(name, where = {}, seconds = 10) {
    return new Promise((resolve, reject) => {
      const fits = (event) =>
        event.name === name && Object.entries(where).every(([key, value]) => event[key] === value);
      const leave = () => {
        clearTimeout(timer);
        this.waiting = this.waiting.filter((each) => each !== look);
      };
      const look = () => {
        const at = this.told.findIndex(fits);
        if (at < 0) return;
        leave();
        resolve(this.told.splice(at, 1)[0]);
      };
      const timer = setTimeout(() => {
        leave();
        reject(new Error(`no ${name} ${JSON.stringify(where)}, but ${JSON.stringify(this.told)}`));
      }, seconds * 1000);
      this.waiting.push(look);
      look();
    });
  }
}

// How a bare WebSocket fares: "open", or the code with which it was closed.
const knock = (url, protocols) =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, protocols);
    socket.onopen = () => {
      resolve("open");
      socket.close();
    };
    socket.onclose = (event) => resolve(event.code);
  });
