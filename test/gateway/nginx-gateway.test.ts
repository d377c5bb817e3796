import { findNginx, startNginxGateway } from '../../src/node/nginx-gateway.ts'
import { gatewayContract } from './contract.ts'

const isInstalled = findNginx() !== undefined
if (!isInstalled) console.warn('NOT RUN: the nginx gateway, because nginx is missing. Install it: apt-get install nginx-light')

gatewayContract('the nginx gateway', {
  isInstalled,
  async start(options) {
    const gateway = await startNginxGateway(options)
    if (gateway === undefined) throw new Error('nginx vanished between two looks')
    return gateway
  },
})
