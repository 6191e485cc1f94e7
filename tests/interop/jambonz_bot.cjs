// A bot made of jambonz's own library, for `listen`: `node jambonz_bot.cjs PORT`, with NODE_PATH to the packages.
// It says back what it hears. Key 1 says five seconds of a tone at once and asks for a mark behind them, key 2
// drops what waits, key 3 plays a clip and drops the marks, key 9 leaves. What comes is told on stdout.
const http = require('http');
const { createEndpoint } = require('@jambonz/sdk/websocket');

const tell = (told) => process.stdout.write(JSON.stringify({ told }) + '\n');
const tone = (hz, seconds, rate) => {
  const pcm = Buffer.alloc(2 * Math.floor(seconds * rate));
  for (let at = 0; at < pcm.length / 2; at++) {
    pcm.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * hz * at) / rate)), 2 * at);
  }
  return pcm;
};

const server = http.createServer();
const silent = { info() {}, error() {}, debug() {} };
const makeService = createEndpoint({ server, logger: silent });
const service = makeService.audio({ path: '/talk' });
service.on('connection', (stream) => {
  let echoing = true;
  tell({ event: 'start', ...stream.metadata });
  stream.on('audio', (pcm) => echoing && stream.sendAudio(pcm));
  stream.on('mark', (mark) => tell({ event: 'mark', name: mark.name, how: mark.event }));
  stream.on('playDone', (clip) => tell({ event: 'playDone', ...clip }));
  stream.on('close', (code) => tell({ event: 'close', code }));
  stream.on('dtmf', ({ digit, duration }) => {
    tell({ event: 'dtmf', digit, duration });
    echoing = false;
    if (digit === '1') {
      stream.sendAudio(tone(500, 5, stream.sampleRate));
      stream.sendMark('end');
    } else if (digit === '2') {
      stream.killAudio();
    } else if (digit === '3') {
      stream.playAudio(tone(800, 1, 24000).toString('base64'), { sampleRate: 24000, id: 'clip' });
      stream.sendMark('forgotten');
      stream.clearMarks();
    } else if (digit === '9') {
      stream.disconnect();
    }
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('{"ready":true}\n'));
