//go:build !race

package sim

const defaultSeeds = 100 // what takes some 10 s on two cores
