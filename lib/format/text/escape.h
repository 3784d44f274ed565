#pragma once

#include <string>
#include <string_view>

namespace packhorse::format {

// `text` as content or attribute value of XML 1.0 (section 2.4): & < > " ' are entities, and line breaks and tabs
// character references, so that no reader normalises them away. False, and nothing appended, where it holds what XML
// cannot carry (section 2.2): other controls, U+FFFE, U+FFFF, what is not UTF-8.
bool AppendXml(std::string& out, std::string_view text);

// `text` with a backslash before each of `special`, which are ASCII.
void AppendBackslashed(std::string& out, std::string_view text, std::string_view special);

}  // namespace packhorse::format
