// A bank's menu as an application of jambonz, over HTTP, by @jambonz/sdk: node jambonz_webhook.mjs PORT SECRET
import http from 'node:http';
import { createRequire } from 'node:module';
import { WebhookResponse } from '@jambonz/sdk/webhook';

const [port, secret] = process.argv.slice(2);
const { validateApp } = createRequire(import.meta.url)('@jambonz/schema');
const verify = WebhookResponse.verifySignature(secret);

const answers = {
  '/call': () => new WebhookResponse()
    .config({ synthesizer: { vendor: 'any', language: 'en-US' } })
    .tag({ data: { app: 'bank' } })
    .gather({ input: ['digits'], numDigits: 1, timeout: 10, actionHook: '/menu', play: { url: 'prompt:hello' } }),
  '/menu': ({ digits }) => digits === '1'
    ? new WebhookResponse().enqueue({ name: 'sales', actionHook: '/left' })
    : new WebhookResponse().hangup(),
  '/left': () => new WebhookResponse().play({ url: 'prompt:hello', timeoutSecs: 0.5 }).hangup(),
};

http.createServer((req, res) => {
  let text = '';
  req.on('data', (part) => { text += part; });
  req.on('end', () => {
    req.body = text ? JSON.parse(text) : {};
    verify(req, res, (error) => {
      const answer = answers[req.url];
      console.log(JSON.stringify({ path: req.url, error: error ? error.message : '', body: req.body }));
      res.writeHead(error ? 401 : 200, { 'Content-Type': 'application/json' });
      const verbs = !error && answer ? answer(req.body).toJSON() : [];
      if (verbs.length && !validateApp(verbs).valid) throw new Error('not valid by the schema');
      res.end(JSON.stringify(verbs));
    });
  });
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
