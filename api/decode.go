package api

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// A Decoder reads one encoded value after the other. Each method takes exactly
// the next value; a value of another type is an error that says what was met
// and not where: the walker knows the member's path and adds it.
//
// A Decoder limits the depth of what it skips, so that no input makes it recurse
// without end. Counts are limited by the walker.
type Decoder interface {
	// Null takes the next value if it is null and reports whether it was.
	Null() bool
	String() (string, error)
	// Int reads a whole number. 5.0 is one, 5.5 is not.
	Int() (int64, error)
	Float() (float64, error)
	Bool() (bool, error)
	Time() (time.Time, error)
	Blob() ([]byte, error)

	// Object begins an object, whose members follow as Key and value until Key
	// returns false. The name is valid until the next call.
	Object() error
	Key() (name []byte, more bool, err error)
	// List begins a list, whose elements follow as More and value until More
	// returns false.
	List() error
	More() (bool, error)
	// Skip takes the next value, whatever it is.
	Skip() error
}

// A DecodeError says which member could not be read and why.
type DecodeError struct {
	Path    string // empty for the structure itself
	Problem string
}

func (e *DecodeError) Error() string {
	if e.Path == "" {
		return "The request body " + e.Problem
	}
	return e.Path + ": " + e.Problem
}

// maxElements bounds the list elements and map entries of one body. The largest
// legitimate bodies (latencies of a match's players) have some thousands.
const maxElements = 50_000

// Decode fills x with the next object of d. Members x does not know are skipped;
// a member that comes twice is an error. Missing members are not: answers may
// leave out what they like. An error is a [*DecodeError].
func Decode(d Decoder, x Shape) error {
	_, err := decode(d, x)
	return err
}

// DecodeInput is [Decode] for the input of an operation: x must also have every
// required member and satisfy [Check]. A violation is an error of type [Findings],
// something unreadable a [*DecodeError].
func DecodeInput(d Decoder, x Shape) error {
	missing, err := decode(d, x)
	if err != nil {
		return err
	}
	c := checker{findings: missing, missing: len(missing)}
	x.check(&c)
	return c.err()
}

func decode(d Decoder, x Shape) (missing Findings, err error) {
	r := reader{d: d}
	r.path = r.room[:0]
	x.decode(&r)
	if r.err != nil {
		return nil, r.err
	}
	return r.missing, nil
}

// A reader walks a structure along a Decoder. The first error sticks: after it
// nothing more is read and every loop ends.
type reader struct {
	d        Decoder
	err      *DecodeError
	path     path
	room     [8]step // first backing of path; GameLift's shapes are no deeper
	missing  Findings
	elements int
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = &DecodeError{r.path.String(), err.Error()}
	}
}

func (r *reader) push(s step) { r.path = append(r.path, s) }
func (r *reader) pop()        { r.path = r.path[:len(r.path)-1] }

// counts charges one element or entry.
func (r *reader) counts() bool {
	r.elements++
	if r.elements > maxElements {
		r.fail(fmt.Errorf("the request has more than %d list elements and map entries", maxElements))
		return false
	}
	return true
}

// take returns v, or the zero value with the error noted.
func take[T any](r *reader, v T, err error) T {
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *reader) string() string {
	v, err := r.d.String()
	return take(r, v, err)
}

func (r *reader) int64() int64 {
	v, err := r.d.Int()
	return take(r, v, err)
}

// int reads the model's integer, which has 32 bits.
func (r *reader) int() int {
	v, err := r.d.Int()
	if err == nil && (v < math.MinInt32 || v > math.MaxInt32) {
		err = fmt.Errorf("must be a whole number of 32 bits, got %d", v)
	}
	return take(r, int(v), err)
}

func (r *reader) float64() float64 {
	v, err := r.d.Float()
	return take(r, v, err)
}

func (r *reader) float32() float32 {
	v, err := r.d.Float()
	if err == nil && math.Abs(v) > math.MaxFloat32 {
		err = errors.New("must be a number of 32 bits")
	}
	return float32(take(r, v, err))
}

func (r *reader) bool() bool {
	v, err := r.d.Bool()
	return take(r, v, err)
}

func (r *reader) time() time.Time {
	v, err := r.d.Time()
	return take(r, v, err)
}

func (r *reader) blob() []byte {
	v, err := r.d.Blob()
	return take(r, v, err)
}

// An object is the walk through one structure.
type object struct {
	r      *reader
	name   []byte // of the current member
	seen   uint64 // members met, by bit
	got    uint64 // members met with a value
	inside bool   // a step of the path is ours
}

func (r *reader) object() object {
	if err := r.d.Object(); err != nil {
		r.fail(err)
	}
	return object{r: r}
}

// next moves to the next member.
func (o *object) next() bool {
	if o.inside {
		o.r.pop()
		o.inside = false
	}
	if o.r.err != nil {
		return false
	}
	name, more, err := o.r.d.Key()
	if err != nil {
		o.r.fail(err)
		return false
	}
	o.name = name
	return more
}

var errTwice = errors.New("is given twice")

// field says whether the current member, the one of that bit, has a value to read.
func (o *object) field(bit uint, name string) bool {
	o.r.push(step{name, isMember})
	o.inside = true
	if o.seen&(1<<bit) != 0 {
		o.r.fail(errTwice)
		return false
	}
	o.seen |= 1 << bit
	if o.r.d.Null() {
		return false
	}
	o.got |= 1 << bit
	return true
}

// skip passes over a member the model does not know.
func (o *object) skip() {
	if err := o.r.d.Skip(); err != nil {
		o.r.push(step{string(o.name), isMember})
		o.inside = true
		o.r.fail(err)
	}
}

// need notes the member of that bit as missing unless it had a value.
func (o *object) need(bit uint, name string) {
	if o.got&(1<<bit) == 0 && o.r.err == nil && len(o.r.missing) < maxFindings {
		o.r.push(step{name, isMember})
		o.r.missing = append(o.r.missing, Finding{o.r.path.String(), problemMissing})
		o.r.pop()
	}
}

// A list is the walk through the elements of a list.
type list struct {
	r      *reader
	i      int
	inside bool
}

func (r *reader) list() list {
	if err := r.d.List(); err != nil {
		r.fail(err)
	}
	return list{r: r, i: -1}
}

var errNull = errors.New("must not be null")

func (l *list) next() bool {
	if l.inside {
		l.r.pop()
		l.inside = false
	}
	if l.r.err != nil {
		return false
	}
	more, err := l.r.d.More()
	if err != nil {
		l.r.fail(err)
	}
	if err != nil || !more || !l.r.counts() {
		return false
	}
	l.i++
	l.r.push(step{"", l.i})
	l.inside = true
	if l.r.d.Null() {
		l.r.fail(errNull)
		return false
	}
	return true
}

// readList reads a list whose elements read reads.
func readList[T any](r *reader, read func(*reader) T) []T {
	v := []T{}
	for l := r.list(); l.next(); {
		v = append(v, read(r))
	}
	return v
}

// readMap reads a map whose values read reads. Entries that are null are absent.
func readMap[T any](r *reader, read func(*reader) T) map[string]T {
	v := map[string]T{}
	o := r.object()
	for o.next() {
		key := string(o.name)
		r.push(step{key, isEntry})
		o.inside = true
		if _, twice := v[key]; twice {
			r.fail(errTwice)
		} else if r.counts() && !r.d.Null() {
			v[key] = read(r)
		}
	}
	return v
}
