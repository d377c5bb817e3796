import { LIMITS } from '../limits.ts'
import type { JsonField } from '../json/json-field.ts'
import type { GatewayConfig, MeshConfig } from '../manifest/site-config.ts'
import type { SiteFacts } from './bridge-message.ts'

/** What the engine tells of the site. Its URLs were checked when the configuration was read. */
export function readSiteFacts(field: JsonField): SiteFacts {
  const read = field.object(['repository', 'gateways', 'mesh'])
  return {
    repository: read('repository').text(),
    gateways: read('gateways').list(LIMITS.originsInCatalogue).map(readGateway),
    mesh: readMesh(read('mesh')),
  }
}

function readGateway(field: JsonField): GatewayConfig {
  const read = field.object(['id', 'url', 'addressSpace'])
  return {
    id: read('id').text(200),
    url: read('url').text(),
    addressSpace: read('addressSpace').optional((item) => item.oneOf(['local', 'loopback'])),
  }
}

function readMesh(field: JsonField): MeshConfig {
  const read = field.object(['mode', 'signaling', 'ticketUrl', 'iceServers', 'upload'])
  return {
    mode: read('mode').oneOf(['off', 'lan', 'full', 'relay']),
    signaling: read('signaling')
      .list(16)
      .map((url) => url.text()),
    ticketUrl: read('ticketUrl').optional((url) => url.text()),
    iceServers: read('iceServers').list(16).map(readIceServer),
    upload: read('upload').optional(readUpload),
  }
}

function readIceServer(field: JsonField): MeshConfig['iceServers'][number] {
  const read = field.object(['urls', 'username', 'credential'])
  const optional = (name: 'username' | 'credential'): string | undefined => read(name).optional((item) => item.text())
  return { urls: read('urls').text(), username: optional('username'), credential: optional('credential') }
}

function readUpload(field: JsonField): MeshConfig['upload'] {
  const read = field.object(['slots', 'wanBytesPerSecond', 'lanBytesPerSecond', 'sessionBytes'])
  return {
    slots: read('slots').integer(0),
    wanBytesPerSecond: read('wanBytesPerSecond').integer(0),
    lanBytesPerSecond: read('lanBytesPerSecond').optional((item) => item.integer(0)),
    sessionBytes: read('sessionBytes').integer(0),
  }
}
