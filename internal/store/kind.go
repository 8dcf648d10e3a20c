package store

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxKeyBytes bounds ids and index values, in bytes: an index entry holds one
// of each, and PostgreSQL takes no more than 2,704 bytes for both.
const MaxKeyBytes = 1024

// MaxBodyBytes bounds Row.Body, in bytes.
const MaxBodyBytes = 64 << 20

// MaxIndexes bounds Kind.Indexes.
const MaxIndexes = 32

// A Kind declares one kind of document and how it is found. A row has at most
// one value per index. Names consist of letters, digits, '_' and '-', start
// with a letter, and differ in more than case.
type Kind struct {
	Name    string
	Indexes []string

	// Keys computes Row.Keys from a stored body. It is asked only when a
	// database is opened that holds rows older than one of the indexes; a
	// kind without it cannot gain an index once it has rows.
	Keys func(body []byte) (map[string]string, error)
}

// A Schema is a checked set of kinds. Implementations use it to refuse what
// was not declared.
type Schema map[string]Kind

var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,39}$`)

// NewSchema checks the declarations.
func NewSchema(kinds []Kind) (Schema, error) {
	s := make(Schema, len(kinds))
	folded := map[string]string{}
	for _, k := range kinds {
		if !nameForm.MatchString(k.Name) {
			return nil, fmt.Errorf("store: kind %q: a name is a letter followed by up to 39 letters, digits, '_' or '-'", k.Name)
		}
		if other, ok := folded[strings.ToLower(k.Name)]; ok {
			return nil, fmt.Errorf("store: kind %q is declared twice (as %q before)", k.Name, other)
		}
		folded[strings.ToLower(k.Name)] = k.Name
		if len(k.Indexes) > MaxIndexes {
			return nil, fmt.Errorf("store: kind %q has %d indexes, at most %d are possible", k.Name, len(k.Indexes), MaxIndexes)
		}
		seen := map[string]bool{}
		for _, x := range k.Indexes {
			if !nameForm.MatchString(x) {
				return nil, fmt.Errorf("store: index %q of kind %q: a name is a letter followed by up to 39 letters, digits, '_' or '-'", x, k.Name)
			}
			if seen[strings.ToLower(x)] {
				return nil, fmt.Errorf("store: kind %q declares index %q twice", k.Name, x)
			}
			seen[strings.ToLower(x)] = true
		}
		s[k.Name] = k
	}
	return s, nil
}

// UndeclaredKind is the error for a kind that the store was not opened with.
func UndeclaredKind(name string) error {
	return fmt.Errorf("store: kind %q is not declared: pass it when opening the store", name)
}

// CheckScan reports an index that the kind does not declare ("" is always
// fine), a prefix that is not text, and a limit that asks for nothing.
func (k Kind) CheckScan(index, prefix string, limit int) error {
	if index != "" && !slices.Contains(k.Indexes, index) {
		return fmt.Errorf("store: kind %q declares no index %q, only %q", k.Name, index, k.Indexes)
	}
	if err := checkText(prefix); err != nil {
		return fmt.Errorf("store: prefix %.60q %w", prefix, err)
	}
	return checkLimit(limit)
}

// Stored returns r as Put keeps it: without holder, without empty values, due
// to the microsecond. It reports what no store can hold: an id or value that
// is too long or is not text, a body too large, a value for an undeclared index.
func (k Kind) Stored(r Row) (Row, error) {
	if r.ID == "" {
		return Row{}, fmt.Errorf("store: a row of kind %q has no id", k.Name)
	}
	if err := checkText(r.ID); err != nil {
		return Row{}, fmt.Errorf("store: id %.60q of kind %q %w", r.ID, k.Name, err)
	}
	if len(r.Body) > MaxBodyBytes {
		return Row{}, fmt.Errorf("store: body of %s %q has %d bytes, at most %d are possible", k.Name, r.ID, len(r.Body), MaxBodyBytes)
	}
	if !r.Due.IsZero() && (r.Due.Before(minTime) || r.Due.After(maxTime)) {
		return Row{}, fmt.Errorf("store: %s %q is due at %v, outside the years 1 to 9999", k.Name, r.ID, r.Due)
	}
	empty := 0
	for x, v := range r.Keys {
		if x == "" || !slices.Contains(k.Indexes, x) {
			return Row{}, fmt.Errorf("store: %s %q has a value for index %q, but the kind declares only %q", k.Name, r.ID, x, k.Indexes)
		}
		if err := checkText(v); err != nil {
			return Row{}, fmt.Errorf("store: value %.60q of %s %q in index %q %w", v, k.Name, r.ID, x, err)
		}
		if v == "" {
			empty++
		}
	}
	switch {
	case empty == len(r.Keys):
		r.Keys = nil
	case empty > 0:
		r.Keys = maps.Clone(r.Keys)
		maps.DeleteFunc(r.Keys, func(_, v string) bool { return v == "" })
	}
	r.Due, r.Owner, r.Until = Micros(r.Due), "", time.Time{}
	written := r.written
	if r.written = nil; written == nil { // who wrote it did so by hand
		return r.Share(), nil
	}
	r.reading = written
	return r, nil
}

var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

func checkText(s string) error {
	switch {
	case len(s) > MaxKeyBytes:
		return fmt.Errorf("has %d bytes, at most %d are possible", len(s), MaxKeyBytes)
	case !utf8.ValidString(s):
		return fmt.Errorf("is not valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("contains a NUL")
	}
	return nil
}

func checkLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("store: limit %d: ask for at least one row", limit)
	}
	return nil
}

// CheckClaim reports arguments with which nobody would hold anything.
func CheckClaim(owner string, now, until time.Time, limit int) error {
	if owner == "" {
		return fmt.Errorf("store: a claim needs an owner")
	}
	if err := checkText(owner); err != nil {
		return fmt.Errorf("store: owner %.60q %w", owner, err)
	}
	if until.After(maxTime) {
		return fmt.Errorf("store: claim until %v, after the year 9999", until)
	}
	if !Micros(until).After(now) {
		return fmt.Errorf("store: claim until %v is not after now, %v", until, now)
	}
	return checkLimit(limit)
}

// Micros returns t as a store keeps it: in UTC, to the microsecond, rounded up
// and without a monotonic reading. Zero stays zero.
func Micros(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.Add(time.Microsecond - 1).UnixMicro()).UTC()
}
