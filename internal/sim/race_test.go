//go:build race

package sim

const defaultSeeds, defaultStoreSeeds = 8, 1 // each costs ten times as much
