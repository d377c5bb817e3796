import { describe, expect, test } from 'vitest'
import { lanKeyOf, limitKeyOf, networkOf } from '../../signaling/address.ts'

const SALT = new Uint8Array(32).fill(1)
const isSameLan = (a: string, b: string): boolean => lanKeyOf(networkOf(a), SALT) === lanKeyOf(networkOf(b), SALT)

describe('two addresses', () => {
  test.each([
    ['the same public IPv4 address: one NAT', '203.0.113.5', '203.0.113.5', true],
    ['two public IPv4 addresses', '203.0.113.5', '203.0.113.6', false],
    ['one private /24, seen by a server inside', '192.168.1.10', '192.168.1.200', true],
    ['two private /24s', '10.0.1.1', '10.0.2.1', false],
    ['just outside the private range of 172', '172.32.0.1', '172.32.0.2', false],
    ['one IPv6 /56', '2001:db8:0:1200::1', '2001:db8:0:12ff:1::', true],
    ['two IPv6 /56s', '2001:db8:0:1200::1', '2001:db8:0:1300::1', false],
    ['both loopbacks', '127.0.0.1', '::1', true],
  ])('are in one LAN or not: %s', (_, a, b, expected) => {
    expect(isSameLan(a, b)).toBe(expected)
  })

  test.each([
    ['two IPv4 addresses', '203.0.113.5', '203.0.113.6', false],
    ['one IPv6 /64, spelt differently', '2001:db8::1', '2001:0db8:0000:0000:ffff::', true],
    ['two IPv6 /64s', '2001:db8::1', '2001:db8:0:1::1', false],
    ['a zone that a link-local address carries', 'fe80::1%eth0', 'fe80::2', true],
    ['an IPv6 address that ends in IPv4', '64:ff9b::192.0.2.1', '64:ff9b::c000:201', true],
  ])('share a limit or not: %s', (_, a, b, expected) => {
    expect(limitKeyOf(a) === limitKeyOf(b)).toBe(expected)
  })

  test('leave no trace of themselves in what is kept', () => {
    expect(lanKeyOf('203.0.113.5', SALT)).not.toContain('203')
    expect(lanKeyOf('203.0.113.5', SALT)).not.toBe(lanKeyOf('203.0.113.5', new Uint8Array(32)))
  })
})
