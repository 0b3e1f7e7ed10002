% PARTS = extractBetween (TEXT, FIRST, LAST)
% A cell array of what is between each FIRST and the next LAST.

function parts = extractBetween (text, first, last)
  pattern = [regexptranslate("escape", first) '(.*?)' regexptranslate("escape", last)];
  parts = vertcat (regexp (text, pattern, "tokens"){:});
end
