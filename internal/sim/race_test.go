//go:build race

package sim

const defaultSeeds = 12 // what takes some 20 s on two cores
