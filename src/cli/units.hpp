// Sizes, rates and times as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peernet::cli {

/// Bytes per second: a number with an optional unit, in either case, and an optional "/s": 100M, 10MiB, 1.5g, 2MB/s.
/// k, M, G, T (and kB, MB, ...) are powers of 1000; Ki, Mi, Gi, Ti (and KiB, MiB, ...) powers of 1024. Nothing if it is
/// not that, is zero or does not fit.
std::optional<std::uint64_t> parse_rate(std::string_view text);

/// The same without "/s".
std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// Seconds, with a fraction if wanted, from 0 to a hundred years: "60", "0.5", "90s".
std::optional<double> parse_seconds(std::string_view text);

/// "812 B", "1.2 KiB", "43.0 MiB", "2.8 GiB": three digits at least, powers of 1024.
std::string format_bytes(std::uint64_t bytes);
/// "1.2/2.8 GiB": both in the unit of the total.
std::string format_part(std::uint64_t done, std::uint64_t total);
/// "1 file", "12 files".
std::string format_files(std::uint64_t count);
/// "940 MiB/s".
std::string format_rate(double bytes_per_second);
/// "34ms", "0.4s", "2s", "3m 20s", "5h 03m", "4d 02h".
std::string format_duration(double seconds);

}  // namespace peernet::cli
