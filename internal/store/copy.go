package store

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// A reading is what the body of a row says, decoded by the first who asked. All
// who read the row share it and work on copies.
type reading struct{ doc atomic.Value } // of *T, never changed

// copyOf returns a document that shares nothing with v that can be changed.
func copyOf[T any](v *T) *T {
	c := *v
	if deepen := deepener(reflect.TypeFor[T]()); deepen != nil {
		deepen(reflect.ValueOf(&c).Elem())
	}
	return &c
}

// deepeners remembers what deepener made, by type.
var deepeners sync.Map // of reflect.Type to func(reflect.Value)

// deepener returns what turns a plain copy of a value of the type into one that
// shares nothing with it that can be changed: it copies what slices, maps and
// pointers lead to. It is nil if a plain copy is enough. Documents come from
// JSON, so they hold no circles, and nothing but data.
func deepener(t reflect.Type) func(reflect.Value) {
	if f, ok := deepeners.Load(t); ok {
		return f.(func(reflect.Value))
	}
	f := makeDeepener(t)
	deepeners.Store(t, f)
	return f
}

func makeDeepener(t reflect.Type) func(reflect.Value) {
	if t == reflect.TypeFor[time.Time]() {
		return nil // nobody can change what it leads to
	}
	switch t.Kind() {
	case reflect.Struct:
		var fields []int
		var deepen []func(reflect.Value)
		for i := range t.NumField() {
			if f := deepener(t.Field(i).Type); f != nil {
				fields, deepen = append(fields, i), append(deepen, f)
			}
		}
		if fields == nil {
			return nil
		}
		return func(v reflect.Value) {
			for n, i := range fields {
				deepen[n](v.Field(i))
			}
		}
	case reflect.Pointer:
		deepen := deepener(t.Elem())
		return func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			c := reflect.New(t.Elem())
			c.Elem().Set(v.Elem())
			if deepen != nil {
				deepen(c.Elem())
			}
			v.Set(c)
		}
	case reflect.Slice:
		deepen := deepener(t.Elem())
		return func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			c := reflect.MakeSlice(t, v.Len(), v.Len())
			reflect.Copy(c, v)
			for i := 0; deepen != nil && i < c.Len(); i++ {
				deepen(c.Index(i))
			}
			v.Set(c)
		}
	case reflect.Map:
		deepen := deepener(t.Elem())
		return func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			c := reflect.MakeMapWithSize(t, v.Len())
			for pairs := v.MapRange(); pairs.Next(); {
				e := reflect.New(t.Elem()).Elem()
				e.Set(pairs.Value())
				if deepen != nil {
					deepen(e)
				}
				c.SetMapIndex(pairs.Key(), e)
			}
			v.Set(c)
		}
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Array:
		panic(fmt.Sprintf("store: a document cannot hold a %v", t))
	}
	return nil
}
