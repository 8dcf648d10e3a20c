package store

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// readBack returns a copy of v as it reads once it was stored, and whether that
// is known without decoding it: JSON drops what is empty or not stored, and has
// its own idea of text that is no text. So a row that was written is at hand for
// its readers, who most often come soon, and nobody decodes it.
func readBack[T any](v *T) (*T, bool) {
	c := copyOf(v)
	bring := settler(reflect.TypeFor[T]())
	return c, bring == nil || bring(reflect.ValueOf(c).Elem())
}

// settlers remembers what settler made, by type.
var settlers sync.Map // of reflect.Type to func(reflect.Value) bool

// settler returns what brings a value of the type into the form in which it is
// read back, and reports whether there is one that is known. It is nil if every
// value of the type is read back as it is.
func settler(t reflect.Type) func(reflect.Value) bool {
	if f, ok := settlers.Load(t); ok {
		return f.(func(reflect.Value) bool)
	}
	f := makeSettler(t)
	settlers.Store(t, f)
	return f
}

func makeSettler(t reflect.Type) func(reflect.Value) bool {
	switch t {
	case reflect.TypeFor[time.Time]():
		return func(v reflect.Value) bool {
			at := v.Addr().Interface().(*time.Time)
			*at = at.Round(0)
			return at.Location() == time.UTC
		}
	case reflect.TypeFor[json.RawMessage]():
		return func(reflect.Value) bool { return false } // it comes back without spaces
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value) bool { return utf8.ValidString(v.String()) }
	case reflect.Struct:
		return structSettler(t)
	case reflect.Pointer:
		bring := settler(t.Elem())
		if bring == nil {
			return nil
		}
		return func(v reflect.Value) bool { return v.IsNil() || bring(v.Elem()) }
	case reflect.Slice:
		bring := settler(t.Elem())
		if bring == nil {
			return nil
		}
		return func(v reflect.Value) bool {
			for i := range v.Len() {
				if !bring(v.Index(i)) {
					return false
				}
			}
			return true
		}
	case reflect.Map:
		key, bring := settler(t.Key()), settler(t.Elem())
		if key == nil && bring == nil {
			return nil
		}
		return func(v reflect.Value) bool {
			for pairs := v.MapRange(); pairs.Next(); {
				if key != nil && !key(pairs.Key()) {
					return false
				}
				if bring == nil {
					continue
				}
				e := reflect.New(t.Elem()).Elem()
				e.Set(pairs.Value())
				if !bring(e) {
					return false
				}
				v.SetMapIndex(pairs.Key(), e)
			}
			return true
		}
	}
	return nil
}

func structSettler(t reflect.Type) func(reflect.Value) bool {
	var all []func(reflect.Value) bool // of the struct
	for i := range t.NumField() {
		f := t.Field(i)
		bring := settler(f.Type)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		may := f.Type.Kind() == reflect.Slice || f.Type.Kind() == reflect.Map
		switch {
		case name == "-" && options == "":
			all = append(all, func(v reflect.Value) bool { v.Field(i).SetZero(); return true })
		case may && strings.Contains(options, "omitempty"):
			all = append(all, func(v reflect.Value) bool {
				if v.Field(i).Len() == 0 {
					v.Field(i).SetZero()
				}
				return bring == nil || bring(v.Field(i))
			})
		case bring != nil:
			all = append(all, func(v reflect.Value) bool { return bring(v.Field(i)) })
		}
	}
	if all == nil {
		return nil
	}
	return func(v reflect.Value) bool {
		for _, bring := range all {
			if !bring(v) {
				return false
			}
		}
		return true
	}
}
