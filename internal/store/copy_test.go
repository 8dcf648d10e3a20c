package store_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// TestReaders proves of every table what share and asStored say.
func TestReaders(t *testing.T) {
	readers(t, store.Builds)
	readers(t, store.Scripts)
	readers(t, store.Aliases)
	readers(t, store.Locations)
	readers(t, store.Scalings)
	readers(t, store.PeeringAuthorizations)
	readers(t, store.Peerings)
	readers(t, store.GameServerGroups)
	readers(t, store.GameServers)
	readers(t, store.Fleets)
	readers(t, store.Instances)
	readers(t, store.Processes)
	readers(t, store.Sessions)
	readers(t, store.Players)
	readers(t, store.Creators)
	readers(t, store.Queues)
	readers(t, store.Placements)
	readers(t, store.RuleSets)
	readers(t, store.Configurations)
	readers(t, store.Tickets)
	readers(t, store.Seekers)
	readers(t, store.Matches)
	readers(t, store.Events)
	readers(t, store.Effects)
	readers(t, store.Conversations)
	readers(t, store.Keys)
	readers(t, store.Secrets)
	readers(t, store.DeadLetters)
	readers(t, store.Answers)
	readers(t, store.Servers)
	readers(t, store.Leases)
}

func readers[T any](t *testing.T, table *store.Table[T]) {
	t.Helper()
	share(t, table)
	asStored(t, table)
}

// Whoever reads a document may do with it what they like: those who read it
// later find it as it was written.
func share[T any](t *testing.T, table *store.Table[T]) {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	read := func() *T {
		var v *T
		err := db.View(t.Context(), func(tx store.Tx) error {
			all, err := table.All(tx, "", "")
			if err == nil && len(all) != 1 {
				err = fmt.Errorf("%d documents", len(all))
			}
			if err == nil {
				v = all[0]
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", table.Noun(), err)
		}
		return v
	}
	want := new(T)
	fill(reflect.ValueOf(want).Elem())
	if err := db.Update(t.Context(), func(tx store.Tx) error { return table.Put(tx, want) }); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		got := read()
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s, reader %d: %s", table.Noun(), n, d)
		}
		spoil(reflect.ValueOf(got).Elem())
	}
}

// Whoever reads a document that was just written gets to the last bit what
// they will decode later, however odd it is.
func asStored[T any](t *testing.T, table *store.Table[T]) {
	t.Helper()
	put := func(what string, v *T) (stored bool) {
		t.Helper()
		db, err := memdb.New(store.Kinds()...)
		if err != nil {
			t.Fatal(err)
		}
		if db.Update(t.Context(), func(tx store.Tx) error { return table.Put(tx, v) }) != nil {
			return false // this goes into no store
		}
		err = db.View(t.Context(), func(tx store.Tx) error {
			rows, err := tx.Scan(table.Kind.Name, "", "", store.Cursor{}, 1)
			if err != nil {
				return err
			}
			got, err := table.Decode(rows[0])
			if err != nil {
				return err
			}
			want := new(T)
			if err := json.Unmarshal(rows[0].Body, want); err != nil {
				return err
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: %s", table.Noun(), what, cmp.Diff(want, got))
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s, %s: %v", table.Noun(), what, err)
		}
		return true
	}
	filled := func() (*T, []reflect.Value) {
		v := new(T)
		fill(reflect.ValueOf(v).Elem())
		return v, parts(reflect.ValueOf(v).Elem())
	}
	v, all := filled()
	put("filled", v)
	for i := range all {
		v, all := filled()
		part := all[i]
		switch part.Kind() {
		case reflect.String:
			part.SetString("\xff")
			put("no text in a place", v)
		case reflect.Slice:
			part.Set(reflect.MakeSlice(part.Type(), 0, 0))
			put("an empty list", v)
		case reflect.Map:
			part.Set(reflect.MakeMap(part.Type()))
			put("an empty map", v)
		case reflect.Struct:
			part.Set(reflect.ValueOf(time.Now()))
			put("a time of this machine", v)
			part.Set(reflect.ValueOf(time.Date(2026, 3, 1, 12, 0, 0, 1, time.FixedZone("", 3600))))
			put("a time of elsewhere", v)
		}
		if v, all := filled(); all[i].CanSet() {
			all[i].SetZero()
			put("nothing in a place", v)
		}
	}
}

// parts lists what v holds and can be odd: texts, times, slices and maps. What
// is in maps is not among them, as it cannot be changed there.
func parts(v reflect.Value) (all []reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return []reflect.Value{v}
		}
		for i := range v.NumField() {
			all = append(all, parts(v.Field(i))...)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			all = parts(v.Elem())
		}
	case reflect.Slice:
		all = append(all, v)
		for i := range v.Len() {
			all = append(all, parts(v.Index(i))...)
		}
	case reflect.String, reflect.Map:
		all = append(all, v)
	}
	return all
}

// fill gives everything in v a value, and slices and maps one element.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" { // what is not stored
				fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`"x"`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, e)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64, reflect.Float32:
		v.SetFloat(1)
	case reflect.Uint8, reflect.Uint64, reflect.Uint32:
		v.SetUint(1)
	default:
		v.SetInt(1)
	}
}

// spoil changes everything that v leads to.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			spoil(v.Field(i))
		}
	case reflect.Pointer:
		spoil(v.Elem())
		v.Elem().SetZero()
	case reflect.Slice:
		spoil(v.Index(0))
		v.Index(0).SetZero()
	case reflect.Map:
		for pairs := v.MapRange(); pairs.Next(); {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(pairs.Value())
			spoil(e)
		}
		v.Clear()
	}
}
