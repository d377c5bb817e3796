import { expect, test } from 'vitest'
import { watchThrift } from '../../src/page/mesh-thrift.ts'
import { settle } from '../fakes/virtual-clock.ts'

function signs(connection: object | undefined, battery: object | undefined) {
  return {
    connection: connection === undefined ? undefined : Object.assign(new EventTarget(), connection),
    getBattery: battery === undefined ? undefined : async () => Object.assign(new EventTarget(), battery),
  }
}

test.each([
  ['a browser that tells nothing', undefined, undefined, false],
  ['an ordinary line', { saveData: false, type: 'wifi' }, undefined, false],
  ['data are to be saved', { saveData: true }, undefined, true],
  ['the line is a mobile one', { type: 'cellular' }, undefined, true],
  ['the line is paid by the byte', { metered: true }, undefined, true],
  ['the battery is low', {}, { level: 0.2, charging: false }, true],
  ['the battery is low and charged', {}, { level: 0.2, charging: true }, false],
  ['the battery is half full', {}, { level: 0.5, charging: false }, false],
])('gives nothing, or gives: %s', async (_name, connection, battery, isThrifty) => {
  const thrift = watchThrift(signs(connection, battery))
  await settle()
  expect(thrift.isThrifty).toBe(isThrifty)
})

test('hears of it when the line or the battery changes', async () => {
  const line = Object.assign(new EventTarget(), { saveData: false })
  const battery = Object.assign(new EventTarget(), { level: 1, charging: false })
  const thrift = watchThrift({ connection: line, getBattery: async () => battery })
  await settle()
  const heard: boolean[] = []
  thrift.onChange(() => heard.push(thrift.isThrifty))
  line.saveData = true
  line.dispatchEvent(new Event('change'))
  line.saveData = false
  line.dispatchEvent(new Event('change'))
  battery.level = 0.1
  battery.dispatchEvent(new Event('levelchange'))
  battery.charging = true
  battery.dispatchEvent(new Event('chargingchange'))
  expect(heard).toEqual([true, false, true, false])
})

test('a page that may not ask for the battery goes on without', async () => {
  const thrift = watchThrift({ getBattery: () => Promise.reject(new DOMException('not here', 'NotAllowedError')) })
  await settle()
  expect(thrift.isThrifty).toBe(false)
})
