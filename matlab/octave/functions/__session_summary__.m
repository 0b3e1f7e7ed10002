% SUMMARY = __session_summary__ (VALUE)
% A value in one line: class, size and a short text of it.

function summary = __session_summary__ (value)
  summary = struct ("class", class (value), "size", size (value), "complex", false, "sparse", false, "text", "");
  if (isnumeric (value) || islogical (value) || ischar (value))
    summary.complex = iscomplex (value);
    summary.sparse = issparse (value);
  end
  if (ischar (value) && rows (value) <= 1 && ndims (value) == 2)
    summary.text = ['''' value(1:min(end, 200)) ''''];
  elseif ((isnumeric (value) || islogical (value)) && ndims (value) == 2 && numel (value) <= 20 && ! issparse (value))
    summary.text = mat2str (value, 5);
    if (iscomplex (value) || isreal (value))
      summary.text = regexprep (summary.text, '^\w*int\w*\((.*)\)$', '$1');
    end
  elseif (is_function_handle (value))
    summary.text = func2str (value);
  end
end
