// The clock of this process, which a test can set wrong: the SDKs themselves
// stay as they are.
'use strict'
const Right = Date
let wrong = 0 // milliseconds
globalThis.Date = class Date extends Right {
  constructor(...given) {
    if (given.length > 0) super(...given)
    else super(Right.now() + wrong)
  }
  static now() { return Right.now() + wrong }
}
exports.skew = seconds => { wrong = seconds * 1000 }
