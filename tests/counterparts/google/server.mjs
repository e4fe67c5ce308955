// A real OAuth server in Google's place: PKCE required, codes used once, refresh tokens that can be revoked.
// Settings come as JSON in SETTINGS; /control tells what was asked and changes how the next answers go.
import http from 'node:http'

import Provider from 'oidc-provider'

const settings = JSON.parse(process.env.SETTINGS)
const control = { tokenCalls: 0, refreshCalls: 0, issueRefreshToken: true, dropScope: null, amr: null }

const provider = new Provider(settings.issuer, {
  clients: [
    {
      client_id: settings.clientId,
      client_secret: settings.clientSecret,
      redirect_uris: settings.redirectUris,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: settings.tokenAuthMethod,
    },
  ],
  scopes: ['openid', 'offline_access', ...settings.scopes],
  claims: { openid: ['sub', 'amr'] },
  pkce: { required: () => true },
  extraParams: ['access_type', 'include_granted_scopes', 'login_hint'],
  features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
  issueRefreshToken: async () => control.issueRefreshToken,
  rotateRefreshToken: false,
  ttl: { AccessToken: () => settings.accessTokenSeconds, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 600 },
  cookies: { keys: ['stand-in'] },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
})

// How people sign in here: with the factors that the control names.
const finish = provider.interactionFinished.bind(provider)
provider.interactionFinished = (request, response, result, options) => {
  if (result.login && control.amr) result = { ...result, login: { ...result.login, amr: control.amr } }
  return finish(request, response, result, options)
}

const handle = provider.callback()

function readBody(request) {
  return new Promise((resolve) => {
    const parts = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => resolve(Buffer.concat(parts).toString()))
  })
}

async function answerControl(request, response) {
  if (request.method === 'POST') Object.assign(control, JSON.parse(await readBody(request)))
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(control))
}

// Koa reads the form itself, so the grant type is told apart by a tap on the stream.
function countToken(request) {
  control.tokenCalls += 1
  request.on('data', (part) => {
    if (part.toString().includes('grant_type=refresh_token')) control.refreshCalls += 1
  })
}

http
  .createServer((request, response) => {
    if (request.url === '/control') return void answerControl(request, response)
    if (request.method === 'POST' && request.url === '/token') countToken(request)
    return handle(request, response)
  })
  .listen(settings.port, '127.0.0.1', () => console.log('ready'))
