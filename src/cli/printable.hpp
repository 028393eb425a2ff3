// Text from peers and file systems, made safe to show: a name must not move the cursor, change colours or reorder the
// line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace peernet::cli {

/// Valid UTF-8 without control characters (C0, DEL, C1), line and paragraph separators and the characters that change
/// the direction of text; each byte of what is not that becomes \xNN, so that nothing can be mistaken for something
/// else.
std::string printable(std::string_view text);

/// Columns a terminal needs for printable text: 2 for wide East Asian characters and emoji, 0 for combining marks.
std::size_t display_width(std::string_view text);

/// Printable text shortened to at most `columns`: its middle is replaced by "..", because names differ at both ends.
std::string shortened(std::string_view text, std::size_t columns);

}  // namespace peernet::cli
