//go:build !race

package sim

const defaultSeeds, defaultStoreSeeds = 80, 3 // make sim plays more of them
