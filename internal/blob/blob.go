// Package blob keeps files that outlive a call: builds, scripts, logs. They are
// put once, under a key, and read many times.
//
// It knows nothing of what the files are or who may touch them. Store is small
// so that an S3-compatible service can stand behind it; Dir keeps the files in
// a folder.
//
//	files, err := blob.Open("chairlift-data/blobs")
//	info, err := files.Put(ctx, "builds/build-1.zip", body)
//	f, err := files.Open(ctx, "builds/build-1.zip")
//	defer f.Close()
//	sum, err := archive.Check(f, f.Info().SizeBytes, archive.DefaultLimits)
//
// A file is there whole or not at all: when Put or Complete returns it is on
// the disk, and a crash before that leaves what was there before.
package blob

import (
	"context"
	"errors"
	"io"
	"time"
)

// Store keeps files by key. A key is any text of 1 to 1,088 bytes, slashes and
// dots without meaning. Putting to a key again replaces its file; readers that
// have it open may keep it or see their reads fail, never mixed content.
type Store interface {
	// Put reads r to its end and stores what it gave. An error of r leaves
	// nothing and is returned as it is.
	Put(ctx context.Context, key string, r io.Reader) (Info, error)
	// Open gives the file for reading; ErrNotFound if there is none.
	Open(ctx context.Context, key string) (File, error)
	// Stat describes the file; ErrNotFound if there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes the file. Deleting what is not there is no error.
	Delete(ctx context.Context, key string) error

	// Begin opens an upload in parts, which may come in any order and at once.
	Begin(ctx context.Context, key string) (uploadID string, err error)
	// PutPart stores part number 1 to 10,000, replacing an earlier one.
	PutPart(ctx context.Context, key, uploadID string, number int, r io.Reader) (Part, error)
	// Parts lists what has arrived, by number.
	Parts(ctx context.Context, key, uploadID string) ([]Part, error)
	// Complete makes the named parts, in this order, the file of key, and ends
	// the upload. Parts that are not named are dropped.
	Complete(ctx context.Context, key, uploadID string, numbers []int) (Info, error)
	// Abort drops the upload and its parts.
	Abort(ctx context.Context, key, uploadID string) error
}

// Versioned is a Store some of whose buckets keep earlier versions of files.
type Versioned interface {
	// OpenVersion is Open of one version; ErrNotFound if there is none.
	OpenVersion(ctx context.Context, key, version string) (File, error)
}

// NoVersion is what S3 calls the version of a file in a bucket that keeps none.
const NoVersion = "null"

// OpenVersion opens a version of a file of s, the latest if version is empty.
func OpenVersion(ctx context.Context, s Store, key, version string) (File, error) {
	if version == "" {
		return s.Open(ctx, key)
	}
	if v, ok := s.(Versioned); ok {
		return v.OpenVersion(ctx, key, version)
	}
	if version == NoVersion {
		return s.Open(ctx, key)
	}
	return nil, ErrNotFound
}

// Info describes a file.
type Info struct {
	Key       string
	SizeBytes int64
	// SHA256 is the digest of the content in hex. That of a file that came in
	// parts is the digest of its parts' digests, then "-" and their number:
	// equal ones still mean equal content.
	SHA256 string
	// ETag is what S3 clients expect, without quotes: the MD5 of the content
	// in hex; of parts the MD5 of their MD5s, then "-" and their number.
	ETag     string
	Modified time.Time
}

// Part describes one part of an upload.
type Part struct {
	Number    int
	SizeBytes int64
	ETag      string // its MD5 in hex
	SHA256    string // in hex
	Modified  time.Time
}

// File is a stored file that is open.
type File interface {
	io.ReaderAt
	io.Closer
	Info() Info
}

const (
	KeyMaxBytes = 1088   // S3's own limits for a bucket, a slash and a key
	PartsMax    = 10_000 // S3's own limit
)

var (
	ErrNotFound = errors.New("no such file")
	ErrNoUpload = errors.New("no such upload: it was completed, aborted or never begun")
	ErrNoPart   = errors.New("a named part has not arrived")
	ErrBadKey   = errors.New("a key has 1 to 1088 bytes of text")
	ErrBadPart  = errors.New("part numbers go from 1 to 10000, in rising order")

	// Of buckets that lie elsewhere.
	ErrReadOnly  = errors.New("the bucket lies elsewhere and is only read from here; put the file where the bucket lies")
	ErrElsewhere = errors.New("the bucket lies elsewhere and cannot be read from")
)

// Reader reads a file from its beginning to its end.
func Reader(f File) *io.SectionReader {
	return io.NewSectionReader(f, 0, f.Info().SizeBytes)
}
