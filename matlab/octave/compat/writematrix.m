% writematrix (A, FILE)
% writematrix (A, FILE, "Delimiter", DELIMITER)
% Write numbers as text, a line for each row.

function writematrix (A, file, option, delimiter = ",")
  dlmwrite (file, A, "delimiter", delimiter, "precision", "%.15g");
end
