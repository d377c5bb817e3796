import { startCachingGateway } from '../../src/node/caching-gateway.ts'
import { gatewayContract } from './contract.ts'

gatewayContract('our own caching gateway', { isInstalled: true, start: startCachingGateway })
