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

// Whoever reads a document may do with it what they like: those who read it
// later find it as it was written.
func TestReadersShareNothing(t *testing.T) {
	share(t, store.Builds)
	share(t, store.Scripts)
	share(t, store.Aliases)
	share(t, store.Locations)
	share(t, store.Scalings)
	share(t, store.PeeringAuthorizations)
	share(t, store.Peerings)
	share(t, store.GameServerGroups)
	share(t, store.GameServers)
	share(t, store.Fleets)
	share(t, store.Instances)
	share(t, store.Processes)
	share(t, store.Sessions)
	share(t, store.Players)
	share(t, store.Creators)
	share(t, store.Queues)
	share(t, store.Placements)
	share(t, store.RuleSets)
	share(t, store.Configurations)
	share(t, store.Tickets)
	share(t, store.Seekers)
	share(t, store.Matches)
	share(t, store.Events)
	share(t, store.Effects)
	share(t, store.Conversations)
	share(t, store.Keys)
	share(t, store.Secrets)
}

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
