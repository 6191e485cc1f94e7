// Lets a program hear the caller and speak with it, by @jambonz/sdk: node jambonz_stream.mjs PORT
import http from 'node:http';
import { createEndpoint } from '@jambonz/sdk/websocket';

const [port] = process.argv.slice(2);
const server = http.createServer();
const makeService = createEndpoint({ server });
const say = (path, body) => console.log(JSON.stringify({ path, error: '', body }));

makeService({ path: '/call' }).on('session:new', (session) => {
  session
    .on('/done', (event) => { say('/done', event); session.hangup().reply(); })
    .on('jambonz:error', (event) => say('/error', event));
  session
    .answer()
    .stream({
      url: '/audio', actionHook: '/done', sampleRate: 8000, metadata: { purpose: 'echo' },
      bidirectionalAudio: { enabled: true, streaming: true, sampleRate: 8000 },
    })
    .send();
});

makeService.audio({ path: '/audio' }).on('connection', (stream) => {
  let bytes = 0;
  say('/metadata', stream.metadata);
  stream.on('audio', (pcm) => {
    bytes += pcm.length;
    stream.sendAudio(pcm);
    if (bytes > 32000) {
      bytes = -1e9;
      say('/heard', {});
      stream.disconnect();
    }
  });
});

server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
