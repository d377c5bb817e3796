import { Crowd, type Span } from '../../test/load/crowd.ts'
import type { LoadPlan } from '../../test/load/plan.ts'
import { serveCalls } from '../delivery/child.ts'

// Sockets of a process of their own: one alone may not hold as many as a server does.
let crowd: Crowd | undefined

serveCalls({
  start(plan: LoadPlan) {
    crowd = new Crowd(plan)
  },
  open: (span: Span) => crowd?.open(span),
  offer: (span: Span) => crowd?.offer(span),
  churn: (count: number) => crowd?.churn(count),
  tally: () => crowd?.tally(),
  close: () => crowd?.close(),
})
