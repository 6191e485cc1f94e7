// The same over a WebSocket, by @jambonz/sdk: node jambonz_socket.mjs PORT
import http from 'node:http';
import { createEndpoint } from '@jambonz/sdk/websocket';

const [port] = process.argv.slice(2);
const server = http.createServer();
const makeService = createEndpoint({ server });
const say = (path, body) => console.log(JSON.stringify({ path, error: '', body }));

makeService({ path: '/call' }).on('session:new', (session) => {
  say('/call', session.data);
  session
    .on('/menu', (event) => {
      say('/menu', event);
      if (event.digits === '1') session.enqueue({ name: 'sales', actionHook: '/left' }).reply();
      else session.hangup().reply();
    })
    .on('/left', (event) => {
      say('/left', event);
      session.reply();
      session.injectTag({ result: event.queue_result });
      session.play({ url: 'prompt:hello', timeoutSecs: 0.5 }).send();
      setTimeout(() => session.injectCommand('call:status', { call_status: 'completed' }), 800);
    })
    .on('call:status', (event) => say('/status', event))
    .on('jambonz:error', (event) => say('/error', event));
  session
    .gather({ input: ['digits'], numDigits: 1, timeout: 10, actionHook: '/menu', play: { url: 'prompt:hello' } })
    .send();
});

server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
