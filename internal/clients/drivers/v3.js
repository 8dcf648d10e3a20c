// A driver of the AWS SDK for JavaScript, version 3. doc.go tells how drivers
// are spoken to. NODE_PATH names the folder with the packages.
'use strict'
const clock = require('./clock.js')
const fs = require('fs')
const sdk = require('@aws-sdk/client-gamelift')
const s3sdk = require('@aws-sdk/client-s3')

const gamelift = new sdk.GameLiftClient({})
const PART = 5 << 20 // bytes; the least that S3 allows

async function uploadBuild(i) {
  const made = await gamelift.send(new sdk.CreateBuildCommand({ Name: i.Name, Version: i.Version, OperatingSystem: i.OperatingSystem }))
  const BuildId = made.Build.BuildId
  const { UploadCredentials: k, StorageLocation: at } = await gamelift.send(new sdk.RequestUploadCredentialsCommand({ BuildId }))
  const s3 = new s3sdk.S3Client({ credentials: { accessKeyId: k.AccessKeyId, secretAccessKey: k.SecretAccessKey, sessionToken: k.SessionToken } })
  const zip = fs.readFileSync(i.Zip)
  const { UploadId } = await s3.send(new s3sdk.CreateMultipartUploadCommand(at))
  const Parts = []
  for (let from = 0; from < zip.length; from += PART) {
    const PartNumber = Parts.length + 1
    const { ETag } = await s3.send(new s3sdk.UploadPartCommand({ ...at, UploadId, PartNumber, Body: zip.subarray(from, from + PART) }))
    Parts.push({ ETag, PartNumber })
  }
  await s3.send(new s3sdk.CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }))
  return { BuildId }
}

async function call(op, given, pages) {
  if (op === 'UploadBuild') return uploadBuild(given)
  if (op === 'PutObject') {
    const s3 = new s3sdk.S3Client({ forcePathStyle: true })
    await s3.send(new s3sdk.PutObjectCommand({ Bucket: given.Bucket, Key: given.Key, Body: fs.readFileSync(given.File) }))
    return {}
  }
  if (op === 'Skew') {
    clock.skew(given.Seconds)
    return {}
  }
  if (!sdk[op + 'Command']) return undefined
  if (given.ZipFile) given.ZipFile = Buffer.from(given.ZipFile, 'base64')
  for (const name of ['StartTime', 'EndTime']) if (given[name]) given[name] = new Date(given[name])
  if (pages) {
    const all = []
    for await (const page of sdk['paginate' + op]({ client: gamelift }, given)) all.push(...page[pages])
    return { [pages]: all }
  }
  const { $metadata, ...out } = await gamelift.send(new sdk[op + 'Command'](given))
  return out
}

async function answer(line) {
  const ask = JSON.parse(line)
  try {
    const out = await call(ask.op, ask.in, ask.pages)
    return out === undefined ? { unknown: ask.op } : { out }
  } catch (e) {
    return { error: { code: e.name, message: e.message } }
  }
}

// One question at a time, in order.
let before = Promise.resolve()
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  before = before.then(() => answer(line)).then(a => process.stdout.write(JSON.stringify(a) + '\n'))
})
