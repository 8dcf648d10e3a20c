//go:build !race

package sim

const defaultSeeds = 400 // what takes some 5 s on two cores
