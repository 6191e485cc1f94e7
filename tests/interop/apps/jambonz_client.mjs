// Commands a live call by the client of @jambonz/sdk: node jambonz_client.mjs BASE TOKEN CALL HOOK
import { JambonzClient } from '@jambonz/sdk/client';

const [baseUrl, apiKey, call, hook] = process.argv.slice(2);
const client = new JambonzClient({ baseUrl, accountSid: 'sipcc', apiKey });

const [listed] = await client.calls.list();
const info = await client.calls.get(call);
await client.calls.mute(call, 'mute');
const refused = await client.calls.whisper(call, { verb: 'say', text: 'x' }).catch((error) => String(error));
await client.calls.redirect(call, hook);
console.log(JSON.stringify({ path: 'client', error: '', body: { listed: listed.call_sid, status: info.call_status, refused } }));
