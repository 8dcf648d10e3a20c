// A driver of the AWS SDK for JavaScript, version 2. doc.go tells how drivers
// are spoken to. NODE_PATH names the folder with the package.
'use strict'
const clock = require('./clock.js')
const fs = require('fs')
const AWS = require('aws-sdk')

const endpoint = process.env.AWS_ENDPOINT_URL
const options = { endpoint, region: process.env.AWS_REGION, correctClockSkew: true }
const gamelift = new AWS.GameLift(options)
const method = op => op[0].toLowerCase() + op.slice(1)

async function uploadBuild(i) {
  const made = await gamelift.createBuild({ Name: i.Name, Version: i.Version, OperatingSystem: i.OperatingSystem }).promise()
  const BuildId = made.Build.BuildId
  const { UploadCredentials: k, StorageLocation: at } = await gamelift.requestUploadCredentials({ BuildId }).promise()
  const s3 = new AWS.S3({ endpoint, region: options.region, s3ForcePathStyle: true, accessKeyId: k.AccessKeyId, secretAccessKey: k.SecretAccessKey, sessionToken: k.SessionToken })
  await s3.upload({ Bucket: at.Bucket, Key: at.Key, Body: fs.createReadStream(i.Zip) }).promise() // in parts of 5 MiB
  return { BuildId }
}

async function call(op, given, pages) {
  if (op === 'UploadBuild') return uploadBuild(given)
  if (op === 'PutObject') {
    const s3 = new AWS.S3({ endpoint, region: options.region, s3ForcePathStyle: true })
    await s3.putObject({ Bucket: given.Bucket, Key: given.Key, Body: fs.readFileSync(given.File) }).promise()
    return {}
  }
  if (op === 'Skew') {
    clock.skew(given.Seconds)
    return {}
  }
  if (!gamelift[method(op)]) return undefined
  if (given.ZipFile) given.ZipFile = Buffer.from(given.ZipFile, 'base64')
  if (!pages) return gamelift[method(op)](given).promise()
  const all = []
  await new Promise((resolve, reject) => gamelift[method(op)](given).eachPage((err, page) => {
    if (err) reject(err)
    else if (page === null) resolve()
    else all.push(...page[pages])
  }))
  return { [pages]: all }
}

async function answer(line) {
  const ask = JSON.parse(line)
  try {
    const out = await call(ask.op, ask.in, ask.pages)
    return out === undefined ? { unknown: ask.op } : { out }
  } catch (e) {
    const code = e.code === 'MultipleValidationErrors' && e.errors.some(x => x.code === 'UnexpectedParameter') ? 'UnexpectedParameter' : e.code
    if (code === 'UnexpectedParameter') return { unknown: e.message }
    return { error: { code: code || String(e), message: e.message } }
  }
}

// One question at a time, in order.
let before = Promise.resolve()
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  before = before.then(() => answer(line)).then(a => process.stdout.write(JSON.stringify(a) + '\n'))
})
