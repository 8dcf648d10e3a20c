//go:build race

package sim

const defaultSeeds = 8 // each costs ten times as much
