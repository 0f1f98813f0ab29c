//! Serves GatheRing over REST.
