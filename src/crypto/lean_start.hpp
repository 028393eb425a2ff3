// For a program whose process is its own; not for a library, because it is the whole process that goes without.
#pragma once

namespace peernet::crypto {

/// Starts OpenSSL without its tables of names from before providers, its error texts and its tidying at exit: nothing
/// here looks up an algorithm by its old name, prints an OpenSSL error or leaves OpenSSL's memory to be counted. They
/// cost about a millisecond of every start. To be called first thing in main(); later it has no effect.
void start_lean();

}  // namespace peernet::crypto
