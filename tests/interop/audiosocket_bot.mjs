// A bot made of a foreign AudioSocket library: `node audiosocket_bot.mjs PORT FOLDER`, the folder with the package.
// It says back what it hears for two seconds, then plays a tone of a second and a half and hangs up.
const { AudioSocketServer } = await import(`${process.argv[3]}/node_modules/asterisk-audiosocket/dist/index.js`);

const tell = (told) => process.stdout.write(JSON.stringify({ told }) + '\n');
const tone = Buffer.alloc(2 * 12000);
for (let at = 0; at < 12000; at++) {
  tone.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 500 * at) / 8000)), 2 * at);
}

const server = new AudioSocketServer({ port: Number(process.argv[2]) });
server.on('connection', (call) => {
  let frames = 0;
  call.on('id', (uuid) => tell({ event: 'start', uuid }));
  call.on('error', (error) => tell({ event: 'error', error: String(error) }));
  call.on('hangup', () => tell({ event: 'hangup', frames }));
  call.on('audio', async (pcm) => {
    frames += 1;
    if (frames <= 100) {
      call.writeFrame(pcm);
    } else if (frames === 101) {
      await call.play(tone);
      call.hangup();
    }
  });
});
await server.listen();
process.stdout.write('{"ready":true}\n');
