"use strict";

// What a page says into a call, and what it hears in it, by WebAudio: no microphone and no loudspeaker.
class Sound {
  constructor() {
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 8192;
    this.analyser.smoothingTimeConstant = 0;
  }

  // A stream that says a tone for ever.
  tone(hertz) {
    const source = this.context.createOscillator();
    const gain = this.context.createGain();
    const out = this.context.createMediaStreamDestination();
    source.frequency.value = hertz;
    gain.gain.value = 0.25;
    source.connect(gain).connect(out);
    source.start();
    return out.stream;
  }

  // Listen to what a peer connection receives from now on.
  listen(connection) {
    connection.addEventListener("track", ({ track }) => {
      const stream = new MediaStream([track]);
      this.player = new Audio(); // Chromium gives WebAudio nothing of a stream that no element plays
      this.player.muted = true;
      this.player.srcObject = stream;
      this.player.play();
      this.context.createMediaStreamSource(stream).connect(this.analyser);
    });
  }

  // The strongest tone that is heard now, in Hz to the nearest 6; 0 for silence.
  heard() {
    const bins = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(bins);
    const top = bins.indexOf(Math.max(...bins));
    return bins[top] < -60 ? 0 : (top * this.context.sampleRate) / this.analyser.fftSize;
  }

  // Wait until a tone of `hertz` is heard; 0 waits for silence.
  async hear(hertz, seconds) {
    const end = performance.now() + seconds * 1000;
    let heard = -1;
    while (performance.now() < end) {
      heard = this.heard();
      if (Math.abs(heard - hertz) < 15) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`heard ${heard} Hz in place of ${hertz} Hz`);
  }
}
